/** Secrets out of documentation, templates and lists of passwords, as letters and digits in lower case. */
const SAMPLES: ReadonlySet<string> = new Set([
  ...["secret", "mysecret", "supersecret", "topsecret", "s3cr3t", "t0ps3cr3t", "secretkey", "mysecretkey"],
  ...["jwtsecret", "jwtsecretkey", "mysupersecretkey", "mysupersecretjwtkey", "keyboardcat", "shhhhh"],
  ...["password", "passw0rd", "p4ssw0rd", "pass", "letmein", "qwerty", "123456", "12345678", "1234567890"],
  ...["admin", "root", "user", "guest", "test", "default", "sample", "example", "demo", "token", "nats", "local"],
  // jwt.io then and now, Supabase, and what tutorials copy from each other.
  ...["your256bitsecret", "astringsecretatleast256bitslong"],
  ...["supersecretjwttokenwithatleast32characterslong", "my32characterultrasecureandultralongsecret"],
  ...["thisisasecretkeyformysecretapplication", "thisismysecretkey", "thisisaverysecretkey", "mysecretkeyisverysecret"],
]);

/** Words of secrets that were meant to be replaced. */
const PLACEHOLDER =
  /change(me|this|it)|replace(me|this|with)|your(own|jwt|super|256bit|very)?(secret|key|token|password)|placeholder|insert(your|secret|here)/;

/** True for a secret that everybody knows: a sample, one repeated until it was long enough, or a placeholder. */
export function isSampleSecret(secret: string): boolean {
  const text = bare(secret);
  if (PLACEHOLDER.test(text)) return true;
  for (const sample of SAMPLES) if (text === sample.repeat(Math.max(1, text.length / sample.length))) return true;
  return false;
}

function bare(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, "");
}
