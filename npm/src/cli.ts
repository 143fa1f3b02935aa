#!/usr/bin/env node
// `npx subbyte`: the program's own command line. A package with the native program for this system is used where one is
// installed, else the program in WebAssembly.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

import { nodeJob, startWorker } from './node_engine.js';
import { programPath } from './node_files.js';

/** The native program; undefined where its package is not installed. */
function nativeProgram(): string | undefined {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const name = `subbyte-${process.platform}-${process.arch}/bin/subbyte${suffix}`;
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined;
  }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ends the process as the signal does where nobody listens. */
function endBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/**
 * The native program's exit status; undefined where it does not start: it was built for another C library, or may not be
 * executed. Signals reach it, whoever sent them to us: it removes what it left.
 */
function runNative(program: string, args: string[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    // Listened for before it starts: one that comes while it does would end Node alone.
    const pass = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of signals) process.on(signal, pass);
    const child = spawn(program, args, { stdio: 'inherit' });
    child.on('error', () => {
      for (const signal of signals) process.off(signal, pass);
      resolve(undefined);
    });
    child.on('exit', (status, signal) => {
      if (signal) endBy(signal);
      resolve(status ?? 1);
    });
  });
}

async function runHere(args: string[]): Promise<number> {
  const job = await nodeJob({ args: args.map((text) => programArgument(text)), inputs: [] }, true);
  const running = startWorker(job);
  let ended: NodeJS.Signals | undefined;
  for (const signal of signals) {
    process.on(signal, () => {
      ended ??= signal;
      void running.end().then((stopped) => stopped && endBy(signal));
    });
  }
  const { status } = await running.outcome;
  // Files were being put in place: now they are.
  if (ended !== undefined) return 128 + constants.signals[ended];
  return status;
}

/** On Windows what looks like a path has the program's slashes. */
function programArgument(text: string): string {
  if (process.platform !== 'win32' || !/[\\:]/.test(text)) return text;
  const option = /^(--[a-z-]+=)(.*)$/.exec(text);
  return option ? option[1] + programPath(option[2]!) : programPath(text);
}

const args = process.argv.slice(2);
try {
  const native = nativeProgram();
  const status = native === undefined ? undefined : await runNative(native, args);
  process.exitCode = status ?? (await runHere(args));
} catch (error) {
  process.stderr.write(`error: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
