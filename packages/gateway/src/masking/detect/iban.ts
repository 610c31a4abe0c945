/**
 * IBAN: ISO 13616-1. The length of each country is that of the registry of SWIFT; ISO/IEC 7064 MOD 97-10.
 */

/** Countries with the length of their numbers. */
const LENGTHS_TEXT =
  'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30';

const LENGTHS = new Uint8Array(26 * 26);
for (const entry of LENGTHS_TEXT.split(' ')) {
  LENGTHS[(entry.charCodeAt(0) - 65) * 26 + entry.charCodeAt(1) - 65] = Number(entry.slice(2));
}

/** The shortest and the longest. */
export const IBAN_LENGTH_MIN = 15;
export const IBAN_LENGTH_MAX = 33;

/** Two letters in upper case → how long a number of that country is; 0 where there are none. */
export function ibanLength(first: number, second: number): number {
  if (first < 65 || first > 90 || second < 65 || second > 90) return 0;
  return LENGTHS[(first - 65) * 26 + second - 65] ?? 0;
}

/** Whether letters and digits in upper case are an IBAN: country, length and check digits. */
export function isIban(code: Uint8Array, length: number): boolean {
  if (ibanLength(code[0] ?? 0, code[1] ?? 0) !== length) return false;
  let rest = 0;
  for (let step = 0; step < length; step += 1) {
    const byte = code[(step + 4) % length] ?? 0;
    const isDigit = byte >= 48 && byte <= 57;
    if (!isDigit && (byte < 65 || byte > 90)) return false;
    rest = isDigit ? (rest * 10 + byte - 48) % 97 : (rest * 100 + byte - 55) % 97;
  }
  return rest === 1;
}
