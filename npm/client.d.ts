// Types of models that a bundler converts: `/// <reference types="subbyte/client" />`, or "types": ["subbyte/client"].
//
// TypeScript matches one `*` in the name of a module. So other options than these are written before `subbyte`:
// './model.onnx?effort=best&precision=4bit&subbyte'.
declare module '*?subbyte' {
  export * from 'subbyte/module';
}
declare module '*&subbyte' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=float32' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=float16' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=int8' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=8bit' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=4bit' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=3bit' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=2bit' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=fp32' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=fp16' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=int4' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=int3' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=int2' {
  export * from 'subbyte/module';
}
declare module '*?subbyte&precision=mixed' {
  export * from 'subbyte/module';
}
