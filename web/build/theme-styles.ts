import { convertCssVariables, defaultCssVariablesResolver, mergeMantineTheme, DEFAULT_THEME } from "@mantine/core";
import type { Plugin } from "vite";

import { chartVariables } from "../src/app/palette";
import { theme } from "../src/app/theme";

const NAME = "virtual:theme.css";

/**
 * Makes the theme a style sheet of its own at build time. Mantine would write it into a `<style>` element at run time,
 * which the server's Content-Security-Policy forbids.
 */
export function themeStyles(): Plugin {
  return {
    name: "theme-styles",
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    load: (id) => (id === `\0${NAME}` ? styles() : undefined),
  };
}

function styles(): string {
  const own = defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme));
  const charts = chartVariables();
  return convertCssVariables({
    variables: own.variables,
    light: { ...own.light, ...charts.light, "--mantine-color-scheme": "light" },
    dark: { ...own.dark, ...charts.dark, "--mantine-color-scheme": "dark" },
  });
}
