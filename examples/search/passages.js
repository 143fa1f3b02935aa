// Texts to passages, each short enough for the encoder.

/** Characters of a passage at most; about what 128 tokens hold. */
const longest = 400;

/** The example's text: passages stand one on a line, below a line with their topic. Returns [{ topic, text }]. */
export function passagesOf(text) {
  const passages = [];
  let topic = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('# ')) topic = line.slice(2);
    else if (line.trim()) passages.push({ topic, text: line });
  }
  return passages;
}

/** Any text: each line is a passage, and a long one is several, cut between sentences. The topic says where it stood. */
export function passagesOfText(text) {
  return text
    .split(/\r?\n/)
    .flatMap((line, index) =>
      cut(line.trim()).map((passage) => ({ topic: `line ${index + 1}`, text: passage })),
    );
}

function cut(line) {
  const passages = [];
  let passage = '';
  for (const sentence of line.match(/[^.!?。！？]+[.!?。！？]*\s*/g) ?? []) {
    if (passage && passage.length + sentence.length > longest) {
      passages.push(passage.trim());
      passage = '';
    }
    passage += sentence;
  }
  if (passage.trim()) passages.push(passage.trim());
  return passages;
}
