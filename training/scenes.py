"""Scenes and what can be asked about them. A scene is drawn from a seeded generator alone.

A picture shows one to three coloured shapes, or a number of one to four digits, on a plain, noisy or striped
background. Colours are far apart, sizes are two, shapes do not touch, and their horizontal distance is never in doubt.
"""

import os
from dataclasses import dataclass

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from texts import (
    ASK_FOR_PICTURE,
    CAPTION_QUESTIONS,
    COLOURS,
    COUNT_QUESTIONS,
    GREETINGS,
    KINDS,
    LANGUAGES,
    NUMBER_CAPTION,
    NUMBER_QUESTIONS,
    SIDES,
    YES_NO,
    bare,
    caption,
    colour,
    colour_question,
    exists_question,
    larger_question,
    shape_question,
    side_question,
    the,
)

RGB = {
    "red": (215, 30, 35),
    "green": (25, 150, 50),
    "blue": (35, 60, 215),
    "yellow": (240, 220, 25),
    "purple": (135, 35, 165),
    "orange": (250, 130, 10),
}
FONT_FILES = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralBol.ttf",
)
FONT_FOLDER = os.path.join(matplotlib.get_data_path(), "fonts", "ttf")
QUESTION_KINDS = ("caption", "count", "colour", "shape", "side", "larger", "yes-no", "number")
_fonts = {}


@dataclass
class Shape:
    kind: str
    colour: str
    is_large: bool
    x: float
    y: float
    radius: float


@dataclass
class Scene:
    width: int
    height: int
    shapes: list
    number: str
    image: Image.Image
    # Per digit: (digit, left, top, right, bottom) in pixels.
    digit_boxes: list


def font(name, size):
    key = (name, size)
    if key not in _fonts:
        _fonts[key] = ImageFont.truetype(os.path.join(FONT_FOLDER, name), size)
    return _fonts[key]


def background(rng, width, height):
    """A pale or dark background with little colour of its own, so that every shape stands out."""
    level = rng.uniform(185, 250) if rng.random() < 0.75 else rng.uniform(5, 45)
    base = np.clip(level + rng.uniform(-8, 8, 3), 0, 255)
    pixels = np.empty((height, width, 3), np.float32)
    pixels[:] = base
    style = rng.integers(3)
    if style == 1:
        pixels += rng.normal(0, rng.uniform(4, 12), (height, width, 1))
    elif style == 2:
        period = rng.uniform(0.08, 0.3) * min(width, height)
        angle = rng.uniform(0, np.pi)
        y, x = np.mgrid[0:height, 0:width]
        wave = (x * np.cos(angle) + y * np.sin(angle)) / max(period, 3)
        pixels += np.where(wave % 1 < 0.5, rng.uniform(8, 22), 0)[..., None] * (1 if level < 100 else -1)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def outline(shape):
    """Corners of a square or triangle around its centre; the triangle's points lie on the circle."""
    x, y, r = shape.x, shape.y, shape.radius
    if shape.kind == "square":
        a = r * 0.88
        return [(x - a, y - a), (x + a, y - a), (x + a, y + a), (x - a, y + a)]
    return [(x, y - r), (x + r * 0.95, y + r * 0.75), (x - r * 0.95, y + r * 0.75)]


def place_shapes(rng, width, height):
    """One to three shapes, from left to right."""
    short = min(width, height)
    while True:
        shapes = []
        count = int(rng.integers(1, 4))
        for _ in range(60):
            if len(shapes) == count:
                return sorted(shapes, key=lambda s: s.x)
            is_large = bool(rng.random() < 0.5)
            radius = short * (rng.uniform(0.19, 0.225) if is_large else rng.uniform(0.1, 0.125))
            x = rng.uniform(radius + 1, width - radius - 1)
            y = rng.uniform(radius + 1, height - radius - 1)
            if all(
                abs(x - s.x) > 0.14 * width and np.hypot(x - s.x, y - s.y) > (radius + s.radius) * 1.12
                for s in shapes
            ):
                kind, name = KINDS[rng.integers(3)], COLOURS[rng.integers(6)]
                shapes.append(Shape(kind, name, is_large, x, y, radius))


def draw_shapes(rng, image, shapes):
    """Draw at three times the size and shrink, for smooth edges."""
    scale = 3
    for shape in shapes:
        reach = int(shape.radius) + 2
        left, top = int(shape.x) - reach, int(shape.y) - reach
        size = 2 * reach + 1
        mask = Image.new("L", (size * scale, size * scale))
        draw = ImageDraw.Draw(mask)
        at = lambda px, py: ((px - left) * scale, (py - top) * scale)  # noqa: B023, E731
        if shape.kind == "circle":
            r = shape.radius * 0.97
            draw.ellipse([at(shape.x - r, shape.y - r), at(shape.x + r, shape.y + r)], fill=255)
        else:
            draw.polygon([at(*corner) for corner in outline(shape)], fill=255)
        tint = tuple(int(np.clip(v + rng.uniform(-14, 14), 0, 255)) for v in RGB[shape.colour])
        image.paste(tint, (left, top), mask.resize((size, size), Image.BOX))


def draw_number(rng, image):
    """A number of one to four digits, fewer on a narrow picture; returns it and a box around each digit."""
    most = 4 if image.width >= 0.85 * image.height else 3 if image.width >= 0.6 * image.height else 2
    digits = "".join(str(d) for d in rng.integers(0, 10, int(rng.integers(1, most + 1))))
    if len(digits) > 1 and digits[0] == "0":
        digits = str(int(rng.integers(1, 10))) + digits[1:]
    name = FONT_FILES[rng.integers(len(FONT_FILES))]
    widest = min(image.width * 0.86 / (len(digits) * 0.62), image.height * 0.85)
    size = int(max(12, widest * rng.uniform(0.82, 1.0)))
    face = font(name, size)
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = draw.textbbox((0, 0), digits, font=face)
    room_x, room_y = image.width - (right - left), image.height - (bottom - top)
    x = rng.uniform(0.15, 0.85) * room_x - left
    y = rng.uniform(0.15, 0.85) * room_y - top
    is_dark = np.asarray(image).mean() < 110
    ink = rng.uniform(190, 255, 3) if is_dark else rng.uniform(0, 70, 3)
    draw.text((x, y), digits, font=face, fill=tuple(int(v) for v in ink))
    boxes, pen = [], x
    for digit in digits:
        advance = draw.textlength(digit, font=face)
        boxes.append((int(digit), pen, y + top, pen + advance, y + bottom))
        pen += advance
    return digits, boxes


def make_scene(rng, width, height, number_share=0.25):
    image = background(rng, width, height)
    if rng.random() < number_share:
        number, boxes = draw_number(rng, image)
        return Scene(width, height, [], number, image, boxes)
    shapes = place_shapes(rng, width, height)
    draw_shapes(rng, image, shapes)
    return Scene(width, height, shapes, "", image, [])


def only(shapes, wanted):
    found = [s for s in shapes if wanted(s)]
    return found[0] if len(found) == 1 else None


def named_alone(shapes):
    """Shapes that their colour and kind together single out."""
    return [s for s in shapes if only(shapes, lambda o, s=s: (o.kind, o.colour) == (s.kind, s.colour))]


def ask(rng, scene, kind, lang):
    """A question of this kind and its answer, or None when the scene leaves it open."""
    asked = ask_about(rng, scene, kind, lang)
    return asked and asked[:2]


def ask_about(rng, scene, kind, lang):
    """As `ask`, and which shapes the question names, in its order: (kind, colour, place from the left or 0 for none)."""
    pick = lambda options: options[rng.integers(len(options))]  # noqa: E731
    place = lambda shape: 1 + shapes.index(shape)  # noqa: E731
    shapes = scene.shapes
    if kind == "caption":
        facts = [(s.kind, s.colour, s.is_large) for s in shapes]
        answer = caption(lang, facts) if shapes else NUMBER_CAPTION[lang].format(scene.number)
        return pick(CAPTION_QUESTIONS[lang]), answer, ()
    if kind == "number":
        return None if shapes else (pick(NUMBER_QUESTIONS[lang]), scene.number, ())
    if not shapes:
        return None
    if kind == "count":
        return pick(COUNT_QUESTIONS[lang]), str(len(shapes)), ()
    if kind == "colour":
        shape = pick(shapes)
        if only(shapes, lambda s: s.kind == shape.kind) is None:
            return None
        return colour_question(lang, shape.kind), colour(lang, shape.colour), ((shape.kind, None, place(shape)),)
    if kind == "shape":
        shape = pick(shapes)
        if only(shapes, lambda s: s.colour == shape.colour) is None:
            return None
        return shape_question(lang, shape.colour), bare(lang, shape.kind), ((None, shape.colour, place(shape)),)
    if kind == "yes-no":
        if rng.random() < 0.5:
            shape = pick(shapes)
            target = (shape.kind, shape.colour)
        elif rng.random() < 0.6:
            # Hard to deny: right in one of the two.
            shape = pick(shapes)
            target = (shape.kind, pick(COLOURS)) if rng.random() < 0.5 else (pick(KINDS), shape.colour)
        else:
            target = (pick(KINDS), pick(COLOURS))
        found = [s for s in shapes if (s.kind, s.colour) == target]
        meant = ((*target, place(found[0]) if found else 0),)
        return exists_question(lang, *target), YES_NO[lang][0 if found else 1], meant
    named = named_alone(shapes)
    if len(named) < 2:
        return None
    first, second = (named[i] for i in rng.permutation(len(named))[:2])
    pair = (first.kind, first.colour), (second.kind, second.colour)
    meant = (*pair[0], place(first)), (*pair[1], place(second))
    if kind == "side":
        return side_question(lang, *pair), SIDES[lang][0 if first.x < second.x else 1], meant
    if first.is_large == second.is_large:
        return None
    larger = first if first.is_large else second
    return larger_question(lang, *pair), the(lang, larger.kind, larger.colour), meant


def ask_without_picture(rng, lang):
    questions = (*GREETINGS[lang], *CAPTION_QUESTIONS[lang], *COUNT_QUESTIONS[lang], *NUMBER_QUESTIONS[lang])
    return questions[rng.integers(len(questions))], ASK_FOR_PICTURE[lang]


def random_language(rng):
    return LANGUAGES[rng.integers(len(LANGUAGES))]
