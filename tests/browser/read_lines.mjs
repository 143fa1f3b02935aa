// Fifty clear lines in several typefaces and sizes, and how they become the recogniser's inputs.

const faces = {
  sans: '{} "Liberation Sans"',
  serif: '{} "Liberation Serif"',
  mono: '{} "Liberation Mono"',
  bold: '700 {} "Liberation Sans"',
  italic: 'italic {} "Liberation Serif"',
  dejavu: '{} "DejaVu Sans"',
  dejavuSerif: '{} "DejaVu Serif"',
  chinese: '{} "WenQuanYi Micro Hei"',
};

const texts = [
  ['sans', 32, 'The quick brown fox jumps over the lazy dog'],
  ['serif', 32, 'A journey of a thousand miles begins with a single step'],
  ['mono', 28, 'const answer = 6 * 7;'],
  ['bold', 36, 'Emergency Exit'],
  ['italic', 32, 'to be continued'],
  ['dejavu', 30, 'Invoice 2024-0137'],
  ['dejavuSerif', 30, 'Chapter Seven'],
  ['chinese', 32, '今天天气很好'],
  ['sans', 24, 'Total: $1,284.50'],
  ['serif', 24, 'Open Monday to Friday, 9:00-17:30'],
  ['mono', 24, 'git commit --amend'],
  ['bold', 28, 'SALE 50% OFF'],
  ['italic', 28, 'with kind regards'],
  ['dejavu', 24, 'Please mind the gap'],
  ['dejavuSerif', 26, 'Made in Germany'],
  ['chinese', 28, '欢迎来到北京'],
  ['sans', 40, 'Platform 9'],
  ['serif', 40, 'The New York Times'],
  ['mono', 32, 'ERROR 404: not found'],
  ['bold', 24, 'No smoking in this area'],
  ['italic', 36, 'Once upon a time'],
  ['dejavu', 36, 'Flight BA 0245'],
  ['dejavuSerif', 32, 'Quality since 1887'],
  ['chinese', 36, '中华人民共和国'],
  ['sans', 28, 'hello@example.org'],
  ['serif', 28, 'Boil the pasta for eight minutes, then drain it'],
  ['mono', 22, '192.168.0.1'],
  ['bold', 32, 'WARNING: High Voltage'],
  ['italic', 24, 'the sea was calm that morning'],
  ['dejavu', 28, 'Serial No. X7K-4482-QP'],
  ['dejavuSerif', 24, 'Vitamin C 500 mg'],
  ['chinese', 24, '请勿吸烟'],
  ['sans', 22, 'Rows are packed, lowest value first'],
  ['serif', 36, 'Museum of Modern Art'],
  ['mono', 26, '+44 20 7946 0018'],
  ['bold', 40, 'STOP'],
  ['italic', 30, 'Nothing ventured, nothing gained'],
  ['dejavu', 32, 'Battery 87%'],
  ['dejavuSerif', 36, 'Room 21'],
  ['chinese', 30, '机器学习模型'],
  ['sans', 36, 'What time is it?'],
  ['serif', 22, 'She sells sea shells by the sea shore'],
  ['mono', 30, 'AB12 CDE'],
  ['bold', 26, 'Push the button twice!'],
  ['italic', 26, 'half past three'],
  ['dejavu', 26, 'Keep refrigerated below 5 degrees'],
  ['dejavuSerif', 28, 'Dear Sir or Madam,'],
  ['chinese', 34, '电话号码 12345678'],
  ['sans', 30, 'Zebra crossings (see page 16)'],
  ['serif', 30, 'Winter is coming; bring a coat'],
];

/** The lines: [{ text, font, size }], as draw.js takes them. */
export const lines = texts.map(([face, size, text]) => ({ text, font: faces[face], size }));

/** Those of the typefaces that the browser has not: lines would be drawn in another, and pass unseen. */
export function missingFamilies(page) {
  const families = [...new Set(Object.values(faces).map((face) => face.match(/"(.*)"/)[1]))];
  return page.evaluate((names) => {
    const context = document.createElement('canvas').getContext('2d');
    // A family that is there gives one width, whatever would stand in for it.
    const width = (name, other) => {
      context.font = `32px "${name}", ${other}`;
      return context.measureText('mixed Widths').width;
    };
    return names.filter((name) => width(name, 'monospace') !== width(name, 'serif'));
  }, families);
}

/**
 * Draws the lines in a page and makes them inputs with the example's own code, which the page's server has at `prefix`.
 * Returns [{ dims, data }].
 */
export async function inputsOf(page, prefix) {
  const inputs = [];
  for (const line of lines) {
    const { dims, base64 } = await page.evaluate(
      async ({ line: { text, ...style }, prefix }) => {
        const { drawLine, pixelsOf } = await import(`${prefix}draw.js`);
        const { toInput } = await import(`${prefix}recognise.js`);
        const { data, dims } = toInput(pixelsOf(drawLine(text, style)));
        const bytes = new Uint8Array(data.buffer);
        let binary = '';
        for (let at = 0; at < bytes.length; at += 0x8000) {
          binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
        }
        return { dims, base64: btoa(binary) };
      },
      { line, prefix },
    );
    const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
    inputs.push({ dims, data: new Float32Array(bytes.buffer) });
  }
  return inputs;
}
