"""`random`: the whole architecture at full size, drawn on the device from a seed, no file involved.

sizes    how big it is: the 19B, or small for a look
initial  how the values of each kind of tensor are distributed
draw     values from seed and name, the same on every device and in whatever order they are asked for
parts    which tensors stand in which file, read off the modules that load them
checkpoint
         the same reading interface as a file's
disk     the same tensors written as files in the official layout
"""
