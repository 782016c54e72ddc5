"""A case with axes becomes the product of their values, each named after the values it takes."""

from __future__ import annotations

from itertools import product
from math import log10, prod
from typing import NamedTuple

from ltxbench.matrix import kinds
from ltxbench.matrix.case import LoraUse, QuantizedLayers, Schedule, Tiling
from ltxbench.matrix.names import objection
from ltxbench.matrix.nodes import Mapping, Node, Scalar, Sequence
from ltxbench.matrix.problems import Mark, Problems, quoted
from ltxbench.matrix.schema import SETTINGS, SIZE, VARIANT, Fields, Located, Table, read_fields, unknown_key

MAX_CASES = 1000

_AXES = {**SETTINGS, **SIZE}
_WRITTEN_OUT = {"loras", "stg_blocks"}


class Point(NamedTuple):
    """One value of an axis: the settings it stands for, and what names and titles call it."""

    fields: Fields
    label: str
    caption: str
    at: Mark


class Draft(NamedTuple):
    """A case before the defaults are filled in."""

    at: Mark
    name: str
    title: str
    fields: Fields


class Plan(NamedTuple):
    """A case as written: one draft, or the product of its axes."""

    at: Mark
    fields: Fields
    axes: tuple[tuple[Point, ...], ...]

    @property
    def size(self) -> int:
        return prod(len(axis) for axis in self.axes)


def plan(at: Mark, fields: Fields, problems: Problems) -> Plan:
    """Takes the axes out of a case's fields."""
    own = dict(fields)
    sweep = own.pop("sweep", None)
    if sweep is None:
        return Plan(at, own, ())
    node = sweep.value
    assert isinstance(node, Scalar | Sequence | Mapping)
    return Plan(at, own, read_axes(node, own, problems))


def read_axes(node: Node, own: Fields, problems: Problems) -> tuple[tuple[Point, ...], ...]:
    """The axes of a `sweep`, in the order of the file. `own` are the settings that the case fixes already."""
    if not isinstance(node, Mapping):
        problems.add(node.at, f"`sweep` is a mapping of settings to lists of values, not {kinds.describe(node)}")
        return ()
    if not node.entries:
        problems.add(node.at, "`sweep` is empty; name a setting and its values, such as `steps: [20, 40]`")
    axes: dict[str, tuple[Point, ...]] = {}
    owner = dict.fromkeys(own, "the case itself")
    for key, values in node.entries:
        if key.text in axes:
            problems.add(key.at, f"{quoted(key.text)} is given twice")
            continue
        axes[key.text] = points = _read_axis(key, values, problems)
        touched = {field for point in points for field in point.fields}
        for field in sorted(touched & owner.keys()):
            problems.add(key.at, f"axis {quoted(key.text)} sets `{field}`, which {owner[field]} sets too")
        owner |= dict.fromkeys(touched, f"axis {quoted(key.text)}")
    return tuple(points for points in axes.values() if points)


def expand(plan: Plan, problems: Problems) -> list[Draft]:
    """The drafts of a plan. Their number is `plan.size`, which the caller has bounded."""
    given_name, given_title = _text(plan.fields.get("name")), _text(plan.fields.get("title"))
    fixed = {key: value for key, value in plan.fields.items() if key not in ("name", "title")}
    if not plan.axes:
        if given_name is None:
            problems.add(plan.at, "a case needs `name`")
            return []
        return [Draft(plan.at, given_name, given_title or given_name, fixed)]
    heading = given_title or given_name
    drafts = []
    for points in product(*plan.axes):
        labels = [point.label for point in points]
        name = "-".join([given_name, *labels] if given_name else labels)
        wrong = objection(name)
        if wrong:
            problems.add(plan.at, f"the sweep makes the name {quoted(name)}, and {wrong}")
            continue
        captions = [point.caption for point in points]
        title = ", ".join([heading, *captions] if heading else captions)
        fields = dict(fixed)
        for point in points:
            fields |= point.fields
        drafts.append(Draft(points[-1].at, name, title, fields))
    return drafts


def amount(count: int) -> str:
    """`1,200`; `about 10^4336` where the digits would fill a screen, or be more than Python is willing to write."""
    return f"{count:,}" if count < 10**30 else f"about 10^{int(log10(count))}"


def _text(located: Located | None) -> str | None:
    return None if located is None else str(located.value)


def _read_axis(key: Scalar, values: Node, problems: Problems) -> tuple[Point, ...]:
    if not isinstance(values, Sequence) or not values.items:
        problems.add(
            values.at,
            f"axis {quoted(key.text)} must be a list of values, such as [..], not "
            f"{'an empty one' if isinstance(values, Sequence) else kinds.describe(values)}",
        )
        return ()
    named = key.text in _AXES and key.text not in _WRITTEN_OUT
    if not named and not all(isinstance(value, Mapping) for value in values.items):
        problems.add(
            key.at,
            f"{unknown_key(key.text, 'a sweep', _AXES.keys() - _WRITTEN_OUT)}; an axis of another name has mappings "
            "with a `label` as its values",
        )
        return ()
    points: dict[str, Point] = {}
    for value in values.items:
        point = _setting(key, value, problems) if named else _variant(value, problems)
        if point is None:
            continue
        folded = point.label.casefold()
        if folded in points:
            problems.add(value.at, f"axis {quoted(key.text)} has {point.label} twice")
            continue
        points[folded] = point
    return tuple(points.values())


def _setting(key: Scalar, value: Node, problems: Problems) -> Point | None:
    fields = read_fields(Mapping(value.at, ((key, value),)), Table("a sweep", _AXES), problems)
    if not fields:
        return None
    return Point(fields, *_words(key.text, fields), value.at)


def _variant(value: Node, problems: Problems) -> Point | None:
    fields = read_fields(value, VARIANT, problems)
    label, caption = _text(fields.pop("label", None)), _text(fields.pop("title", None))
    return None if label is None else Point(fields, label, caption or label, value.at)


def _words(key: str, fields: Fields) -> tuple[str, str]:
    """For names and for titles: `768x512`, `steps8` and `8 steps`, `cfg3.5` and `CFG 3.5`, `no-lora` and `no LoRA`."""
    if key == "size":
        size = f"{fields['width'].value}x{fields['height'].value}"
        return size, size
    value = fields[key].value
    if key in _NUMBERS:
        label, caption = _NUMBERS[key]
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        singular = key in ("frames", "steps") and value == 1
        return f"{label}{shown}", caption.format(shown).removesuffix("s" if singular else "")
    return _CHOICES.get((key, value), (str(value), str(value)))


_NUMBERS = {
    "width": ("w", "{} px wide"),
    "height": ("h", "{} px high"),
    "frames": ("frames", "{} frames"),
    "fps": ("fps", "{} fps"),
    "steps": ("steps", "{} steps"),
    "seed": ("seed", "seed {}"),
    "guidance": ("cfg", "CFG {}"),
    "stg": ("stg", "STG {}"),
    "rescale": ("rescale", "rescale {}"),
    "lora_strength": ("strength", "LoRA strength {}"),
    "upscale_adain": ("adain", "AdaIN {}"),
}

_CHOICES: dict[tuple[str, object], tuple[str, str]] = {
    ("two_stage", True): ("two-stage", "two-stage"),
    ("two_stage", False): ("single-stage", "single-stage"),
    ("distilled_lora", LoraUse.ALL): ("lora", "LoRA"),
    ("distilled_lora", LoraUse.NONE): ("no-lora", "no LoRA"),
    ("distilled_lora", LoraUse.STAGE_2): ("lora-stage-2", "LoRA in stage 2"),
    ("quantized_layers", QuantizedLayers.BLOCKS): ("q-blocks", "blocks quantized"),
    ("quantized_layers", QuantizedLayers.ALL): ("q-all", "all layers quantized"),
    ("tiling", Tiling.OFFICIAL): ("tiled", "tiled decoding"),
    ("tiling", Tiling.NONE): ("untiled", "untiled decoding"),
    ("schedule", Schedule.OFFICIAL): ("official", "official schedule"),
}
