import { describe, expect, it } from 'vitest';
import { fileSystemOf } from '../../bench/measure/machine.ts';
import { parsePgbench, parsePgbenchLog } from '../../bench/measure/pgbench.ts';
import {
  cpuUsOf,
  interpolate,
  memoryOf,
  parseStatCpuUs,
  parseStatusBytes,
  threadCpuUs,
} from '../../bench/measure/process-cost.ts';
import { rankFunctions } from '../../bench/measure/profile.ts';
import { formatSpread, percentile, ratios, spreadOf } from '../../bench/measure/statistics.ts';
import { parseOptions } from '../../bench/options.ts';
import { rotated } from '../../bench/stage.ts';

describe('statistics', () => {
  it('take the nearest rank for a percentile', () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([0.5, 0.99, 1, 0].map((share) => percentile(values, share))).toEqual([50, 99, 100, 1]);
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it('take the mean of the two middle values of an even number', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(formatSpread([2, 1, 3], 1)).toBe('2.0 (1.0–3.0)');
    expect(formatSpread([], 1)).toBe('–');
  });

  it('divide by what was measured in the same round, and by nothing where nothing was', () => {
    expect(ratios([1, 6], [2, 3])).toEqual([0.5, 2]);
    expect(ratios([1, 6], [])).toEqual([]);
  });
});

describe('the cost of a process', () => {
  it('is user and system time, also of a process with brackets and spaces in its name', () => {
    const line = '42 (a) b (c) S 1 42 42 0 -1 4194560 9 0 0 0 120 34 5 6 20 0 11 0 100 1 1 1';
    expect(parseStatCpuUs(line)).toBe(1_540_000);
    expect(() => parseStatCpuUs('nothing of the kind')).toThrow('expected a line of /proc/PID/stat');
  });

  it('is read from /proc for this process, in all and by thread', () => {
    const before = cpuUsOf(process.pid);
    const started = process.cpuUsage();
    let us = 0;
    while (us < 60_000) {
      const { user, system } = process.cpuUsage(started);
      us = user + system;
    }
    // Ticks of 10 ms, at either end.
    expect(cpuUsOf(process.pid) - before).toBeGreaterThanOrEqual(us - 20_000);
    expect([...threadCpuUs(process.pid).values()].reduce((a, b) => a + b)).toBeGreaterThan(0);
    const { bytes, peakBytes } = memoryOf(process.pid);
    expect(bytes).toBeGreaterThan(1_048_576);
    expect(peakBytes).toBeGreaterThanOrEqual(bytes);
  });

  it('reads memory in bytes', () => {
    expect(parseStatusBytes('Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n', 'VmRSS')).toBe(1_048_576);
  });

  it('is interpolated between samples and never outside of them', () => {
    const samples = [
      { timeMs: 100, cpuUs: 0 },
      { timeMs: 200, cpuUs: 50 },
      { timeMs: 300, cpuUs: 70 },
    ];
    expect([0, 100, 150, 200, 250, 999].map((at) => interpolate(samples, at))).toEqual([
      0, 0, 25, 50, 60, 70,
    ]);
  });
});

describe('the output of pgbench', () => {
  const summary = `number of transactions actually processed: 300
number of failed transactions: 0 (0.000%)
latency average = 0.333 ms
initial connection time = 9.1 ms
tps = 3001.5 (without initial connection time)
`;

  it('is parsed, and refused where transactions failed or figures are missing', () => {
    expect(parsePgbench(summary)).toEqual({ tps: 3_001.5, transactions: 300, latencyMs: 0.333 });
    expect(() => parsePgbench(summary.replace('failed transactions: 0', 'failed transactions: 2'))).toThrow(
      '2 transactions failed',
    );
    const none = 'number of transactions actually processed: 0\n';
    expect(parsePgbench(none)).toBeUndefined();
    expect(() => parsePgbench('pgbench: error')).toThrow('expected the summary of pgbench');
  });

  it('has microseconds in the third column of its log', () => {
    expect(parsePgbenchLog('0 1 250 0 1700000000 1\n0 2 1500 0 1700000000 2\n')).toEqual([0.25, 1.5]);
  });
});

it('the file system of a directory is that of the longest mount point above it', () => {
  const mounts = '/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\ntmpfs /tmporary ramfs rw 0 0\n';
  expect(['/tmp', '/tmp/x', '/tmpx', '/'].map((path) => fileSystemOf(mounts, path))).toEqual([
    'tmpfs',
    'tmpfs',
    'ext4',
    'ext4',
  ]);
});

function node(id: number, functionName: string, url = '') {
  return { id, callFrame: { functionName, url, lineNumber: 9 } };
}

it('a profile ranks functions by self time without what was idle', () => {
  const url = 'file:///x/packages/gateway/src/audit/writer-worker.ts';
  const profile = {
    startTime: 1_000,
    nodes: [node(1, '(idle)'), node(2, 'commit', url), node(3, '(program)')],
    samples: [1, 2, 2, 3, 1],
    timeDeltas: [0, 100, 10, 20, 5],
  };
  expect(rankFunctions(profile, [{ startUs: 1_000, endUs: 2_000 }])).toEqual({
    thread: 'ledger writer',
    busyUs: 35,
    functions: [
      { name: 'commit gateway/audit/writer-worker.ts:10', selfUs: 30 },
      { name: '(program)', selfUs: 5 },
    ],
  });
  expect(rankFunctions(profile, [{ startUs: 1_110, endUs: 2_000 }]).busyUs).toBe(25);
  expect(rankFunctions(profile, []).busyUs).toBe(0);
});

describe('the run', () => {
  it('begins each round with another way', () => {
    expect([0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''))).toEqual([
      'abc',
      'bca',
      'cab',
      'abc',
    ]);
  });

  it('writes its results only when it is whole or told to', () => {
    const writes = [
      [],
      ['--rounds', '3'],
      ['--only', 'select'],
      ['--ways', 'direct'],
      ['--only', 'x', '--write'],
    ];
    expect(writes.map((args) => parseOptions(args).write)).toEqual([true, true, false, false, true]);
    expect(() => parseOptions(['--ways', 'nginx'])).toThrow('--ways: expected direct');
    expect(() => parseOptions(['--rounds', '0'])).toThrow('--rounds: expected 1 or more');
  });
});
