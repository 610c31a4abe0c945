/** Which detectors found something: leaves and packages say it. Spec: spec/masking.md. */

/** Raised whenever another text is found, or no longer found: a test measures it. */
export const DETECTOR_VERSION = '1.0.0';
