import "@mantine/core/styles.css";
import "virtual:theme.css";
import "./app/styles.css";

import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { queries } from "./api/queries";
import { router } from "./app/router";
import { theme } from "./app/theme";

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no place for the dashboard");

createRoot(root).render(
  <StrictMode>
    {/* The style sheets have the variables and classes: a <style> element would be forbidden. */}
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
