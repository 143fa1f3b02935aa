// How far readings are from what they should be.

/** The least number of insertions, deletions and substitutions of characters that turn `a` into `b` (Levenshtein). */
export function editDistance(a, b) {
  const [from, to] = [[...a], [...b]];
  let before = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, character] of from.entries()) {
    const now = [row + 1];
    to.forEach((other, column) => {
      const substituted = before[column] + (character === other ? 0 : 1);
      now.push(Math.min(substituted, before[column + 1] + 1, now[column] + 1));
    });
    before = now;
  }
  return before[to.length];
}

/** The character error rate: all edits of the texts `read`, against the number of characters of the texts `expected`. */
export function characterErrorRate(read, expected) {
  const edits = read.reduce((sum, text, index) => sum + editDistance(text, expected[index]), 0);
  const characters = expected.reduce((sum, text) => sum + [...text].length, 0);
  return edits / characters;
}
