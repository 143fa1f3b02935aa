// Lines of text as pixels, on canvases 48 pixels high.
import { inputHeight, longestWidth } from './recognise.js';

/** White around a drawn line, in parts of the font's size. */
const margin = 0.15;

/**
 * Draws one line of text in black on white. `font` is CSS's without the size ('italic 700 {} serif' has its place at the
 * braces), `size` is in pixels.
 */
export function drawLine(text, { font = '{} sans-serif', size = 32 } = {}) {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const set = font.replace('{}', `${size}px`);
  context.font = set;
  const box = context.measureText(text);
  const border = Math.ceil(size * margin);
  const left = Math.max(0, box.actualBoundingBoxLeft);
  const right = Math.max(box.width, box.actualBoundingBoxRight);
  const above = Math.max(box.actualBoundingBoxAscent, size * 0.75);
  const below = Math.max(box.actualBoundingBoxDescent, size * 0.2);
  canvas.width = Math.max(1, Math.ceil(left + right)) + 2 * border;
  canvas.height = Math.ceil(above + below) + 2 * border;
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  // Sizing a canvas resets its context.
  context.font = set;
  context.fillStyle = 'black';
  context.fillText(text, border + left, border + above);
  return fit(canvas);
}

/**
 * An image, canvas or bitmap of one line, scaled to the model's height. What is transparent in it becomes white. Throws
 * where it is too long for its height.
 */
export function fit(image) {
  if (image.width * inputHeight > longestWidth * image.height) {
    const most = Math.floor(longestWidth / inputHeight);
    throw new Error(
      `A line may be ${most} times as wide as it is high; this image is ${image.width} x ${image.height}.`,
    );
  }
  const canvas = document.createElement('canvas');
  canvas.height = inputHeight;
  canvas.width = Math.max(1, Math.round((image.width * inputHeight) / image.height));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** A canvas's pixels. */
export function pixelsOf(canvas) {
  return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
}
