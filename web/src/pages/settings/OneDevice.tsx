import { Alert, Button, TextInput } from "@mantine/core";
import { useState } from "react";

import type { Wire } from "../../api/client";
import { body, server } from "../../api/server";
import { Confirmed } from "../../parts/Confirmed";
import { Form } from "../../parts/Form";
import { Panel } from "../../parts/Panel";
import { Table } from "../../parts/Table";
import { fault, field, useSubmit } from "../../parts/use-submit";
import { minute } from "../../view/days";

/** A device, and what is known of it. */
interface Known {
  device: string;
  found: Wire["DeviceFound"];
}

/** What is known of one device, for whoever asks for it, and erasing it. */
export function OneDevice() {
  const [known, setKnown] = useState<Known>();
  const { isBusy, refused, onSubmit } = useSubmit(async (form) => {
    setKnown(undefined);
    const device = field(form, "device");
    setKnown({ device, found: await body(server.POST("/privacy/device/find", { body: { device } })) });
  });
  async function erase({ device }: Known) {
    const erased = await body(server.POST("/privacy/device/erase", { body: { device } }));
    setKnown({ device, found: { apps: [], erased_at: erased.erased_at } });
  }
  return (
    <Panel title="One device" units="When somebody asks what is known of them, or wants it erased">
      <Form onSubmit={onSubmit}>
        {refused !== undefined && refused.field !== "device" && <Alert color="red" role="alert" title={refused.explained} />}
        <TextInput
          name="device"
          label="Device id"
          description="As the device sends it in X-Device-ID. It is looked up by its pseudonym and not stored."
          autoComplete="off"
          error={fault(refused, "device")}
          required
        />
        <Button type="submit" variant="default" loading={isBusy}>
          Find
        </Button>
      </Form>
      {known !== undefined && <Found known={known} onErase={() => erase(known)} />}
    </Panel>
  );
}

function Found({ known: { device, found }, onErase }: { known: Known; onErase: () => Promise<void> }) {
  const rows = found.apps.flatMap(({ app, days }) => days.map((day) => ({ app, ...day })));
  return (
    <div role="status">
      {found.erased_at != null && <p>It was erased on {minute(found.erased_at)} (UTC).</p>}
      <Table
        caption={`What is known of ${device}`}
        rows={rows}
        identity={(row) => `${row.app} ${row.date}`}
        empty="Nothing is known of this device."
        columns={[
          { title: "Day (UTC)", value: (row) => row.date },
          { title: "App", value: (row) => row.app },
          { title: "Version", value: (row) => row.version ?? null },
          { title: "Status", value: (row) => row.status ?? null },
          { title: "Channels", value: (row) => row.channels.join(", ") },
          { title: "Platforms", value: (row) => row.platforms.join(", ") },
          { title: "Architectures", value: (row) => row.archs.join(", ") },
        ]}
      />
      {rows.length > 0 && (
        <Confirmed label="Erase this device" title={`Erase the device ${device}`} onConfirm={onErase}>
          <p>
            It is taken out of every day of every app, for good. The numbers of checks and the totals of past days stay. If it
            checks again, it is a new device.
          </p>
        </Confirmed>
      )}
    </div>
  );
}
