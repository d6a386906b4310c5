/** The parts by which a version is ordered, as the server orders them. */
interface Parts {
  numbers: bigint[];
  before: string[];
}

function parts(version: string): Parts {
  const named = version.replace(/^v/, "").split("+", 1)[0] ?? "";
  const dash = named.indexOf("-");
  const core = dash < 0 ? named : named.slice(0, dash);
  return {
    numbers: core.split(".").map((part) => (/^\d+$/.test(part) ? BigInt(part) : 0n)),
    before: dash < 0 ? [] : named.slice(dash + 1).split("."),
  };
}

function compareIdentifiers(left: string, right: string): number {
  const [isLeftNumber, isRightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
  if (isLeftNumber && isRightNumber) return compareNumbers(BigInt(left), BigInt(right));
  if (isLeftNumber !== isRightNumber) return isLeftNumber ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareNumbers(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether a name is one of the collective names, such as `(other)`, which come last. */
function isCollective(version: string): boolean {
  return version.startsWith("(");
}

/** Orders versions as versions: `1.9` before `1.10`, `2.0.0-rc.1` before `2.0.0`, and collective names last. */
export function compareVersions(left: string, right: string): number {
  if (isCollective(left) !== isCollective(right)) return isCollective(left) ? 1 : -1;
  const [a, b] = [parts(left), parts(right)];
  for (let at = 0; at < Math.max(a.numbers.length, b.numbers.length); at += 1) {
    const order = compareNumbers(a.numbers[at] ?? 0n, b.numbers[at] ?? 0n);
    if (order !== 0) return order;
  }
  if (a.before.length === 0 || b.before.length === 0) {
    return Math.sign(b.before.length - a.before.length) * (a.before.length === b.before.length ? 0 : 1);
  }
  for (let at = 0; at < Math.max(a.before.length, b.before.length); at += 1) {
    const [one, other] = [a.before[at], b.before[at]];
    if (one === undefined || other === undefined) return one === undefined ? -1 : 1;
    const order = compareIdentifiers(one, other);
    if (order !== 0) return order;
  }
  return 0;
}

/** The newest first. */
export function newestFirst(left: string, right: string): number {
  return compareVersions(right, left);
}
