/** The colour and the stroke of a line, beside its name. */
export function Swatch({ color, isFaint = false }: { color: string; isFaint?: boolean }) {
  return (
    <svg width={16} height={10} aria-hidden="true">
      <line
        x1={1.5}
        x2={14.5}
        y1={5}
        y2={5}
        stroke={color}
        strokeWidth={3}
        strokeLinecap="round"
        strokeDasharray={isFaint ? "1 5" : undefined}
      />
    </svg>
  );
}
