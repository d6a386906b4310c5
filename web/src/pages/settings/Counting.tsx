import { Alert, Button, NumberInput, Switch } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { Wire } from "../../api/client";
import { read } from "../../api/queries";
import { Answer } from "../../parts/Answer";
import { Form } from "../../parts/Form";
import { Panel } from "../../parts/Panel";
import { fault, field, useSubmit } from "../../parts/use-submit";
import { useSettle } from "./write";

/** Which devices are counted, and for how long each is kept. */
export function Counting() {
  const answer = useQuery(read("/settings"));
  return (
    <Panel title="Counting and privacy" units="For all apps. Device ids are never stored, only keyed pseudonyms of them">
      <Answer query={answer} height={240}>
        {/* What was settled elsewhere replaces what the form shows. */}
        {(settings) => <Fields key={JSON.stringify(settings)} settings={settings} />}
      </Answer>
    </Panel>
  );
}

function Fields({ settings }: { settings: Wire["Settings"] }) {
  const settle = useSettle();
  const { isBusy, refused, onSubmit } = useSubmit((form) => {
    const days = field(form, "retention_days");
    return settle.mutateAsync({
      retention_days: days === "" ? null : Number(days),
      opt_out_signals: form.has("opt_out_signals"),
      strict_ids: form.has("strict_ids"),
    });
  });
  return (
    <Form onSubmit={onSubmit}>
      {refused !== undefined && refused.field !== "retention_days" && <Alert color="red" role="alert" title={refused.explained} />}
      <NumberInput
        name="retention_days"
        label="Days for which every device is kept"
        description={`Reports reach back as far. Totals per day, which hold no device, are kept for years. Empty: ${settings.installation_retention_days} days, as the installation has it. Fewer days delete what is older.`}
        defaultValue={settings.retention_days ?? ""}
        placeholder={String(settings.installation_retention_days)}
        min={1}
        max={400}
        allowDecimal={false}
        error={fault(refused, "retention_days")}
      />
      <Switch
        name="opt_out_signals"
        label="Leave out devices that do not want to be counted"
        description="Checks with Sec-GPC: 1 or DNT: 1 are answered and not counted."
        defaultChecked={settings.opt_out_signals}
      />
      <Switch
        name="strict_ids"
        label="Refuse device ids that look personal"
        description="E-mail addresses, IP and MAC addresses and phone numbers. Their checks are answered and not counted; otherwise they are counted, and you are warned."
        defaultChecked={settings.strict_ids}
      />
      <Button type="submit" loading={isBusy}>
        Save
      </Button>
    </Form>
  );
}
