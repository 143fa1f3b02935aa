// What a worker of a browser gives the program: Blobs, read in pieces where they lie.
import { type Host, NoFiles, type Progress } from './job.js';
import type { Source } from './memory_files.js';

declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

function sourceOfBlob(blob: Blob): Source {
  const reader = new FileReaderSync();
  return {
    size: blob.size,
    read(into, position) {
      const piece = reader.readAsArrayBuffer(blob.slice(position, position + into.byteLength));
      into.set(new Uint8Array(piece));
      return piece.byteLength;
    },
  };
}

export function browserHost(progress: (progress: Progress) => void): Host {
  return {
    files: new NoFiles(),
    source(content) {
      if (content instanceof Blob) return sourceOfBlob(content);
      throw new Error('the model is neither bytes nor a Blob');
    },
    progress,
  };
}
