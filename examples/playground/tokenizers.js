// The tokenizers of many models, from their tokenizer.json. Bundled by site.mjs.
export { Tokenizer } from '@huggingface/tokenizers';
