import { Button, Fieldset, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { read } from "../../api/queries";
import classes from "./Files.module.css";
import type { FileDraft } from "./release-draft";

/** The files of a release: where each can be had, and for which devices it is. */
export function Files({ files, onChange }: { files: readonly FileDraft[]; onChange: (files: FileDraft[]) => void }) {
  const platforms = (useQuery(read("/platform/list")).data?.platforms ?? []).map((one) => one.PlatformName);
  const archs = (useQuery(read("/arch/list")).data?.archs ?? []).map((one) => one.ArchID);
  const change = (row: number, changes: Partial<FileDraft>) =>
    onChange(files.map((file) => (file.row === row ? { ...file, ...changes } : file)));
  const add = () => {
    const row = Math.max(-1, ...files.map((file) => file.row)) + 1;
    const last = files.at(-1);
    const like = { platform: last?.platform ?? platforms[0] ?? "", arch: last?.arch ?? archs[0] ?? "" };
    onChange([...files, { row, ...like, package: "", link: "", kept: {} }]);
  };
  return (
    <Fieldset legend="Files" className={classes["files"] ?? ""}>
      <p>A device is offered a release only if there is a file for its platform and architecture.</p>
      {files.map((file, at) => (
        <div key={file.row} className={classes["file"]} role="group" aria-label={`File ${at + 1}`}>
          <Part label="Platform" names={platforms} value={file.platform} onChange={(platform) => change(file.row, { platform })} />
          <Part label="Architecture" names={archs} value={file.arch} onChange={(arch) => change(file.row, { arch })} />
          <TextInput
            label="Package"
            placeholder=".dmg"
            value={file.package}
            onChange={(event) => change(file.row, { package: event.currentTarget.value })}
          />
          <TextInput
            label="Link"
            type="url"
            placeholder="https://downloads.example.com/desk-1.4.0.dmg"
            value={file.link}
            onChange={(event) => change(file.row, { link: event.currentTarget.value })}
            required
          />
          <Button
            variant="subtle"
            color="red"
            aria-label={`Take file ${at + 1} away`}
            onClick={() => onChange(files.filter((one) => one.row !== file.row))}
          >
            Take away
          </Button>
        </div>
      ))}
      <Button variant="default" onClick={add}>
        Add a file
      </Button>
    </Fieldset>
  );
}

interface PartProps {
  label: string;
  names: readonly string[];
  value: string;
  onChange: (value: string) => void;
}

function Part({ label, names, value, onChange }: PartProps) {
  if (names.length === 0) return null;
  // A name that no longer exists stays until another one is chosen.
  const all = [...new Set([...names, ...(value === "" ? [] : [value])])];
  return <Select label={label} data={all} value={value} onChange={(name) => onChange(name ?? "")} allowDeselect={false} required />;
}
