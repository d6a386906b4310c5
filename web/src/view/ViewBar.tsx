import { Title } from "@mantine/core";

import { Chosen } from "./Chosen";
import { FilterMenu } from "./FilterMenu";
import { RangePicker } from "./RangePicker";
import classes from "./ViewBar.module.css";

/** The head of a page: its title, and what it shows. */
export function ViewBar({ title }: { title: string }) {
  return (
    <div className={classes["bar"]}>
      <Title order={1}>{title}</Title>
      <div className={classes["controls"]}>
        <RangePicker />
        <FilterMenu />
      </div>
      <Chosen />
    </div>
  );
}
