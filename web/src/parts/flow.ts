/** Devices that went from one end to another. */
export interface Flow {
  from: string;
  to: string;
  devices: number;
}

/** A bar at one side of the picture. */
export interface End {
  name: string;
  devices: number;
  y: number;
  height: number;
}

/** A band between two bars: where it begins and ends, and how thick it is. */
export interface Band extends Flow {
  y1: number;
  y2: number;
  height: number;
}

const GAP = 8;
const LEAST = 2;
/** The room of a bar that its name needs at least, without the gap. */
const NAME = 6;

/** Where the bars and bands of flows are in a picture of that height; both sides keep the order in which they come. */
export function layOut(flows: readonly Flow[], height: number): { left: End[]; right: End[]; bands: Band[] } {
  const [froms, tos] = [sums(flows, "from"), sums(flows, "to")];
  const scale = Math.min(scaleOf(froms, height), scaleOf(tos, height));
  const [left, right] = [stacked(froms, scale), stacked(tos, scale)];
  const next = { left: new Map(left.map((end) => [end.name, end.y])), right: new Map(right.map((end) => [end.name, end.y])) };
  const take = (side: Map<string, number>, name: string, thickness: number) => {
    const y = side.get(name) ?? 0;
    side.set(name, y + thickness);
    return y;
  };
  const bands = flows.map((flow) => {
    const thickness = flow.devices * scale;
    return { ...flow, y1: take(next.left, flow.from, thickness), y2: take(next.right, flow.to, thickness), height: thickness };
  });
  return { left, right, bands };
}

function sums(flows: readonly Flow[], side: "from" | "to"): [string, number][] {
  const of = new Map<string, number>();
  for (const flow of flows) of.set(flow[side], (of.get(flow[side]) ?? 0) + flow.devices);
  return [...of];
}

function stacked(ends: readonly [string, number][], scale: number): End[] {
  let y = 0;
  return ends.map(([name, devices]) => {
    const [thickness, room] = [devices * scale, Math.max(NAME, devices * scale)];
    const end = { name, devices, y: y + (room - thickness) / 2, height: Math.max(LEAST, thickness) };
    y += room + GAP;
    return end;
  });
}

/** How many pixels a device takes, where the smallest bars take the room of their names. */
function scaleOf(ends: readonly [string, number][], height: number): number {
  const devices = ends.map(([, number]) => number).toSorted((a, b) => b - a);
  for (let large = devices.length; large > 0; large -= 1) {
    const room = height - GAP * (devices.length - 1) - NAME * (devices.length - large);
    const scale = room / devices.slice(0, large).reduce((sum, number) => sum + number, 0);
    if ((devices[large - 1] ?? 0) * scale >= NAME) return scale;
  }
  return 0;
}

/** The greatest flows, and those between the remaining ends as one: a picture has room for so many ends a side. */
export function gathered(flows: readonly Flow[], most: number, others: string): Flow[] {
  const greatest = (side: "from" | "to") =>
    new Set(sums(flows, side).toSorted(([, a], [, b]) => b - a).slice(0, most).map(([name]) => name));
  const kept = { from: greatest("from"), to: greatest("to") };
  const shown = new Map<string, Flow>();
  for (const flow of flows) {
    const from = kept.from.has(flow.from) ? flow.from : others;
    const to = kept.to.has(flow.to) ? flow.to : others;
    const key = `${from}\n${to}`;
    shown.set(key, { from, to, devices: (shown.get(key)?.devices ?? 0) + flow.devices });
  }
  return [...shown.values()];
}
