/** The kinds of resources, as they are after parsing: every default filled in, nothing unknown. */

import type { SourceOption } from '../config/config.ts';
import type { Detector } from '../masking/plan/detector.ts';
import type { Mask } from '../masking/plan/mask.ts';
import type { OtherwiseTerms } from '../policy/otherwise.ts';
import type { Rule } from '../policy/rule.ts';
import type { ModelProbes } from './model-probes.ts';

export interface Person {
  readonly kind: 'Person';
  readonly name: string;
  readonly displayName: string;
  readonly groups: readonly string[];
  readonly disabled: boolean;
}

export interface Group {
  readonly kind: 'Group';
  readonly name: string;
  /** Names of people, or `service:NAME`. */
  readonly members: readonly string[];
}

export interface ServiceAccount {
  readonly kind: 'ServiceAccount';
  readonly name: string;
  readonly displayName: string;
  readonly groups: readonly string[];
  /** In YAML `type`, because `kind` is the kind of the resource. */
  readonly type: 'service' | 'ci';
  readonly disabled: boolean;
}

/** A target; its protocol says what stands in it. */
export type Connection = PostgresConnection | HttpConnection;

export interface PostgresConnection {
  readonly kind: 'Connection';
  readonly name: string;
  readonly protocol: 'postgres';
  readonly target: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly tls: 'verify-full' | 'verify-ca' | 'disable';
    /** `postgres` unless given: an SSLRequest first; `direct` needs PostgreSQL 17. */
    readonly tlsNegotiation?: 'postgres' | 'direct';
    /** `prefer` unless given: SCRAM-SHA-256-PLUS where the target offers it. */
    readonly channelBinding?: 'prefer' | 'require' | 'disable';
    /** `3.2` unless given; `3.0` for what breaks off there instead of negotiating. */
    readonly maxProtocolVersion?: '3.0' | '3.2';
    /** PEM text, or a file with it. */
    readonly ca?: string | { readonly file: string };
  };
  readonly credential: {
    readonly user: string;
    /** `sealed`: set through the API and kept wrapped in the store. */
    readonly password?: SourceOption | { readonly sealed: true };
  };
  readonly labels: Readonly<Record<string, string>>;
  /** `auto` unless given: whether the target says what a ruled statement means before it runs. */
  readonly serverTree?: 'off' | 'auto' | 'ask';
  /** Whether texts that it gives out are found again among the documents of rerank calls. */
  readonly lineage?: boolean;
  /** Of HTTP, as what follows. */
  readonly otherwise?: undefined;
  readonly probes?: undefined;
}

export interface HttpConnection {
  readonly kind: 'Connection';
  readonly name: string;
  readonly protocol: 'http';
  readonly target: {
    /** `https://HOST[:PORT][/PREFIX]`; `http://` only beside `tls: disable`. */
    readonly url: string;
    readonly tls: 'verify-full' | 'verify-ca' | 'disable';
    /** `auto` unless given: HTTP/2 where the target offers it. */
    readonly version?: 'auto' | '1.1' | '2';
    /** PEM text, or a file with it. */
    readonly ca?: string | { readonly file: string };
    /** HTTP has none. */
    readonly database?: undefined;
  };
  readonly credential: {
    readonly scheme: 'none' | 'bearer' | 'header' | 'basic' | 'query' | 'sigv4';
    /** Of the header or of the parameter. */
    readonly name?: string;
    /** In front of what goes into the header. */
    readonly prefix?: string;
    /** Of `basic`. */
    readonly user?: string;
    /** Of `sigv4`, whose `password` is the secret access key. It is no secret, but may come with one that ends. */
    readonly accessKeyId?: string | SourceOption;
    /** Of `sigv4`, beside keys that end soon. */
    readonly sessionToken?: SourceOption;
    /** Of `sigv4`: what requests are signed for, `eu-central-1` and `bedrock`. */
    readonly region?: string;
    readonly service?: string;
    /** `sealed`: set through the API and kept wrapped in the store. */
    readonly password?: SourceOption | { readonly sealed: true };
  };
  /** How the target speaks; `auto` unless given, `http` looks at no content. */
  readonly dialect?: string;
  /** Host names under which the gateway is reached for this connection alone, in small letters. */
  readonly hosts?: readonly string[];
  /** Who is asked about what nothing lets through; left out, that is blocked. */
  readonly otherwise?: { readonly hold: OtherwiseTerms };
  readonly labels: Readonly<Record<string, string>>;
  /** As of PostgreSQL. */
  readonly lineage?: boolean;
  /** Left out, nobody looks at the model behind it. */
  readonly probes?: ModelProbes;
  /** Of PostgreSQL. */
  readonly serverTree?: undefined;
}

export interface Access {
  readonly kind: 'Access';
  readonly name: string;
  /** `NAME` of a person, `group:NAME`, `service:NAME`. */
  readonly who: readonly string[];
  /** Name of a connection, or `label:KEY=VALUE`. */
  readonly to: readonly string[];
  /** Effects, or words for several; left out, everything that is understood. */
  readonly may?: readonly string[];
}

export type ResourceDocument = Person | Group | ServiceAccount | Connection | Access | Rule | Mask | Detector;
export type ResourceKind = ResourceDocument['kind'];

export const RESOURCE_KINDS: readonly ResourceKind[] = [
  'Access',
  'Connection',
  'Detector',
  'Group',
  'Mask',
  'Person',
  'Rule',
  'ServiceAccount',
];

/** Groups that exist without a resource; one of that name only adds members. */
export const BUILT_IN_GROUPS: readonly string[] = ['administrators', 'auditors'];
