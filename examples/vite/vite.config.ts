import subbyte from 'subbyte/vite';
import { defineConfig } from 'vite';

export default defineConfig({ plugins: [subbyte()], build: { target: 'es2022' } });
