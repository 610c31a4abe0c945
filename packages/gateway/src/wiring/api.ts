import type { Config } from '../config/config.ts';
export async function startConfiguredApi(config: Config, _a: unknown, _b: unknown): Promise<{ host: string; port: number; close(): Promise<void> }> {
  return { host: config.listen.api.host, port: 0, close: async () => undefined };
}
