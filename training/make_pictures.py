"""Draw the pictures that come with the demo model, with facts of our choosing: `python training/make_pictures.py`."""

import json
import os

import numpy as np
from PIL import ImageDraw
from scenes import Scene, Shape, background, draw_shapes, font

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo", "pictures")


def scene(seed, width, height, *shapes):
    rng = np.random.default_rng(seed)
    image = background(rng, width, height)
    draw_shapes(rng, image, [Shape(*shape) for shape in shapes])
    return Scene(width, height, [], "", image, []).image


def number(seed, width, height, digits, face):
    image = background(np.random.default_rng(seed), width, height)
    draw = ImageDraw.Draw(image)
    size = font(face, int(height * 0.75))
    left, top, right, bottom = draw.textbbox((0, 0), digits, font=size)
    draw.text(((width - right - left) / 2, (height - bottom - top) / 2), digits, font=size, fill=(20, 25, 40))
    return image


def main():
    os.makedirs(FOLDER, exist_ok=True)
    pictures = {
        "first.png": scene(
            3, 288, 288, ("circle", "red", True, 70, 190, 60), ("square", "blue", False, 160, 70, 32),
            ("triangle", "yellow", True, 215, 205, 60),
        ),
        "wide.png": scene(11, 288, 144, ("triangle", "green", True, 75, 75, 30), ("circle", "purple", False, 200, 70, 16)),
        "small.png": scene(21, 72, 72, ("square", "orange", True, 26, 30, 15), ("circle", "blue", False, 55, 52, 8)),
        "number.png": number(7, 144, 72, "407", "DejaVuSans-Bold.ttf"),
    }  # fmt: skip
    for name, image in pictures.items():
        image.save(os.path.join(FOLDER, name), optimize=True)
    with open(os.path.join(FOLDER, "first-question.json"), "w", encoding="utf-8") as file:
        json.dump({"picture": "first.png", "question": "What do you see?"}, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
