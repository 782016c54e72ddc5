"""What the real tools print. Each says where it comes from; none was recorded by this project on a Mac.

`published`: as somebody posted it in a public tracker. `written`: from the documented format.
"""

from __future__ import annotations

# published: rgcr, pull request 69 of guarinogabriel/Mac-CLI; OS X 10.11
PMSET_AC_LAPTOP = """Now drawing from 'AC Power'
 -InternalBattery-0     84%; charging; 1:05 remaining present: true
"""
# published: jftuga, issue 2 of imwally/battstat; OS X 10.11.6
PMSET_BATTERY = """Now drawing from 'Battery Power'
 -InternalBattery-0 \t90%; discharging; (no estimate) present: true
"""
# published: hoop33, pull request 25 of tmux-plugins/tmux-battery; macOS Sierra
PMSET_WITH_ID = """Now drawing from 'AC Power'
  -InternalBattery-0 (id=4063331)    67%; charging; 1:31 remaining present: true
"""
# published: bartoszj, pull request 317 of liquidprompt/liquidprompt; a Mac without a battery
PMSET_DESKTOP = "Now drawing from 'AC Power'"
# written: pmset(1) with a UPS on USB
PMSET_UPS = """Now drawing from 'UPS Power'
 -Back-UPS ES 700 (id=1)\t95%; discharging; 0:18 remaining present: true
"""

# published: andrewcrook, issue 603 of AppHouseKitchen/AlDente-Battery_Care_and_Monitoring; macOS 12 on Apple silicon
PMSET_SETTINGS = """System-wide power settings:
 SleepDisabled\t\t1
Currently in use:
 standby              1
 Sleep On Power Button 1
 hibernatefile        /var/vm/sleepimage
 powernap             1
 networkoversleep     0
 disksleep            10
 sleep                1 (sleep prevented by bluetoothd, powerd, sharingd)
 hibernatemode        3
 ttyskeepawake        1
 displaysleep         10 (display sleep prevented by com.apphousekitchen.aldente-pro)
 tcpkeepalive         1
 lowpowermode         0
 womp                 1
"""
# published: todddube, issue 6 of alfredapp/low-power-mode-workflow; macOS 14 on an M1 Max, shortened
PMSET_SETTINGS_MAX = """Battery Power:
 Sleep On Power Button 1
 powermode            0
 standby              1
 ttyskeepawake        1
 hibernatemode        3
"""

# published: pavopax, issue 749 of exelban/stats; macOS 12.1 on an M1 Pro
PMSET_THERM_APPLE = """Note: No thermal warning level has been recorded
Note: No performance warning level has been recorded
Note: No CPU power status has been recorded
"""
# published: Sacrome, issue 158 of yujitach/MenuMeters; an Intel Mac that is throttled
PMSET_THERM_INTEL = """2020-06-26 12:30:37 +0200 CPU Power notify
\tCPU_Scheduler_Limit \t= 40
\tCPU_Available_CPUs \t= 8
\tCPU_Speed_Limit \t= 28
"""

# written: ioreg(8) with the keys and the one-line dictionary that AGX drivers publish (macOS 14 and 15)
IOREG_M3_MAX = """+-o AGXAcceleratorG15X  <class AGXAcceleratorG15X, id 0x1000004c2, registered, matched, active, \
busy 0 (68 ms), retain 55>
    {
      "IOClass" = "AGXAcceleratorG15X"
      "gpu-core-count" = 40
      "IOReportLegend" = ({"IOReportGroupName"="Statistics","IOReportChannels"=((1,2,"Device Utilization %"))})
      "PerformanceStatistics" = {"In use system memory (driver)"=0,"Alloc system memory"=52967440384,\
"Tiler Utilization %"=10,"recoveryCount"=0,"Renderer Utilization %"=15,\
"Device Utilization %"=16,"In use system memory"=2363801600}
      "model" = "Apple M3 Max"
    }

"""
IOREG_PARAVIRTUAL = """+-o AppleParavirtGPU  <class AppleParavirtGPU, id 0x100000241, registered, matched, active, \
busy 0 (3 ms), retain 22>
    {
      "IOClass" = "AppleParavirtGPU"
      "PerformanceStatistics" = {"Alloc system memory"=12582912}
    }

"""

# written: system_profiler(8) with the keys of macOS 14 and 15
SYSTEM_PROFILER = """{
  "SPDisplaysDataType" : [
    {
      "_name" : "Apple M4 Max",
      "spdisplays_mtlgpufamilysupport" : "spdisplays_metal4",
      "spdisplays_ndrvs" : [
        {
          "_name" : "Color LCD",
          "_spdisplays_pixels" : "3456 x 2234",
          "spdisplays_main" : "spdisplays_yes",
          "spdisplays_online" : "spdisplays_yes"
        },
        {
          "_name" : "Studio Display",
          "spdisplays_online" : "spdisplays_no"
        }
      ],
      "sppci_cores" : "40",
      "sppci_model" : "Apple M4 Max"
    }
  ]
}
"""
SYSTEM_PROFILER_HEADLESS = (
    '{"SPDisplaysDataType": [{"_name": "Apple M2", "sppci_cores": "10", "sppci_model": "Apple M2"}]}'
)

# recorded by this project: /proc/pressure/memory, Linux 6.18
PSI_IDLE = """some avg10=0.00 avg60=0.00 avg300=0.00 total=0
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
"""
# written: Documentation/accounting/psi.rst
PSI_BUSY = """some avg10=4.20 avg60=1.90 avg300=0.50 total=123456789
full avg10=0.80 avg60=0.20 avg300=0.05 total=23456789
"""
PSI_THRASHING = """some avg10=97.53 avg60=60.10 avg300=20.00 total=923456789
full avg10=84.10 avg60=55.00 avg300=18.00 total=823456789
"""

GARBAGE = ("", "\x00\xff\ufffd", "command not found", "{", "[]", "null", "12", "avg10=", "Now drawing from", "\n" * 99)
"""What any parser may be handed instead."""
