/** A red square of 24 by 24 pixels, as the base64 of a PNG, for examples of requests. */
export const examplePicture =
  "iVBORw0KGgoAAAANSUhEUgAAABgAAAAYCAMAAADXqc3KAAAAA1BMVEXMIiJNHVU6AAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAD0lEQVQoz2NgGAWjgPoAAAJYAAF1NoZ3AAAAAElFTkSuQmCC";
