import { Button, Popover, Switch, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type FormEvent, useState } from "react";

import { Icon } from "../parts/Icon";
import { dayOf, isDay, length, shortDay } from "./days";
import { daysOf, DEFAULT_RANGE, RANGES, type RangeName, type View } from "./view";
import { useView } from "./use-view";
import classes from "./ViewBar.module.css";

/** Chooses the days that are shown, and whether the period before stands beside them. */
export function RangePicker() {
  const { view, show } = useView();
  const [isOpen, { close, toggle }] = useDisclosure(false);
  return (
    <Popover opened={isOpen} onDismiss={close} position="bottom-end" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Button variant="default" leftSection={<Icon name="calendar" size={16} />} onClick={toggle}>
          {named(view)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Range of days">
        <div className={classes["form"]}>
          <div className={classes["ranges"]}>
            {RANGES.map(({ name, title }) => (
              <Button
                key={name}
                size="xs"
                px={0}
                variant={isChosen(view, name) ? "filled" : "default"}
                aria-pressed={isChosen(view, name)}
                onClick={() => {
                  show(withRange(view, name));
                  close();
                }}
              >
                {title}
              </Button>
            ))}
          </div>
          <OwnRange key={named(view)} view={view} onChoose={(next) => (show(next), close())} />
          <Switch
            label="Compare with the period before"
            checked={view.compare === true}
            onChange={(event) => show(withCompare(view, event.currentTarget.checked))}
          />
          <p className={classes["hint"]}>Days are UTC.</p>
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}

function named(view: View): string {
  if (view.from !== undefined && view.to !== undefined) {
    return view.from === view.to ? shortDay(view.from) : `${shortDay(view.from)} – ${shortDay(view.to)}`;
  }
  const name = view.range ?? DEFAULT_RANGE;
  return RANGES.find((range) => range.name === name)?.title ?? name;
}

function isChosen(view: View, name: RangeName): boolean {
  return view.from === undefined && (view.range ?? DEFAULT_RANGE) === name;
}

function withRange(view: View, name: RangeName): View {
  const { from: _from, to: _to, range: _range, ...rest } = view;
  return name === DEFAULT_RANGE ? rest : { ...rest, range: name };
}

function withCompare(view: View, isCompared: boolean): View {
  const { compare: _, ...rest } = view;
  return isCompared ? { ...rest, compare: true } : rest;
}

function OwnRange({ view, onChoose }: { view: View; onChoose: (view: View) => void }) {
  const today = dayOf(new Date());
  const shown = daysOf(view, today);
  const [from, setFrom] = useState(shown.from);
  const [to, setTo] = useState(shown.to);
  const fault = faultOf(from, to);
  const choose = (event: FormEvent) => {
    event.preventDefault();
    if (fault === undefined) onChoose({ ...withRange(view, DEFAULT_RANGE), from, to });
  };
  return (
    <form onSubmit={choose} noValidate>
      <div className={classes["pair"]}>
        <TextInput type="date" label="From" max={today} value={from} onChange={(event) => setFrom(event.currentTarget.value)} />
        <TextInput
          type="date"
          label="To"
          max={today}
          value={to}
          error={fault}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
      </div>
      <Button type="submit" variant="light" size="xs" mt="xs" fullWidth disabled={fault !== undefined}>
        Show these days
      </Button>
    </form>
  );
}

function faultOf(from: string, to: string): string | undefined {
  if (!isDay(from) || !isDay(to)) return "Give two days";
  if (from > to) return "The last day is before the first";
  return length(from, to) > 400 ? "At most 400 days" : undefined;
}
