"""How a picture is cut into tiles, from the functions that the processor itself uses."""

from typing import Any

from transformers.models.mllama.image_processing_mllama import (
    get_image_size_fit_to_canvas,
    get_optimal_tiled_canvas,
)

from atalaya_worker.contract import ImageReport, Picture


def report_of(
    picture: Picture, index: int, vision_config: Any, prepare_ms: float = 0.0
) -> ImageReport:
    side = vision_config.image_size
    canvas_height, canvas_width = get_optimal_tiled_canvas(
        picture.height, picture.width, vision_config.max_num_tiles, side
    )
    height, width = get_image_size_fit_to_canvas(
        picture.height, picture.width, canvas_height, canvas_width, side
    )
    rows, columns = canvas_height // side, canvas_width // side
    grids = [list(grid) for grid in vision_config.supported_aspect_ratios]
    return ImageReport(
        image_index=index,
        width=picture.width,
        height=picture.height,
        rows=rows,
        columns=columns,
        resized_width=width,
        resized_height=height,
        # Their order is that of the ids, which begin at 1.
        aspect_ratio_id=grids.index([rows, columns]) + 1,
        cached=False,
        encode_ms=prepare_ms,
    )
