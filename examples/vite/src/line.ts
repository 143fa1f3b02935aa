// A line of text as the classifier of PP-OCR takes it.

/** The size of its input, in pixels. */
export const width = 192;
export const height = 48;

/** Draws black text on white, as large as fits, and turned by 180 degrees if so wanted. */
export function drawLine(
  context: CanvasRenderingContext2D,
  text: string,
  isTurned: boolean,
): ImageData {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  if (isTurned) context.setTransform(-1, 0, 0, -1, width, height);
  context.fillStyle = 'black';
  context.font = `${height * 0.7}px sans-serif`;
  context.textBaseline = 'middle';
  context.fillText(text, 4, height / 2, width - 8);
  return context.getImageData(0, 0, width, height);
}

/** [1, 3, height, width]: blue, green and red planes scaled to -1..1 (PaddleOCR, `resize_norm_img`). */
export function toInput({ data: pixels }: ImageData): { data: Float32Array; dims: number[] } {
  const plane = width * height;
  const data = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let channel = 0; channel < 3; channel++) {
      data[channel * plane + i] = (pixels[4 * i + 2 - channel] ?? 0) / 127.5 - 1;
    }
  }
  return { data, dims: [1, 3, height, width] };
}
