import { Title } from "@mantine/core";

import { AppChoice } from "./AppChoice";
import { Chosen } from "./Chosen";
import { FilterMenu } from "./FilterMenu";
import { RangePicker } from "./RangePicker";
import classes from "./ViewBar.module.css";

/** The head of a page: its title, and what it shows. A page without time has no range of days. */
export function ViewBar({ title, isTimeless = false }: { title: string; isTimeless?: boolean }) {
  return (
    <div className={classes["bar"]}>
      <Title order={1}>{title}</Title>
      <div className={classes["controls"]}>
        {!isTimeless && <RangePicker />}
        <FilterMenu />
      </div>
      <AppChoice />
      <Chosen />
    </div>
  );
}
