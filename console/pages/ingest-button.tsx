import { FileInput, Radio, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { pathTo } from '../parts/app-link.js';
import { FormButton } from '../parts/form-button.js';
import { client, newKey, sendSigned, type components } from '../service/client.js';
import { useMay } from '../service/use-caller.js';

type Upload = components['schemas']['Upload'];

/** Brings data in, from a file of the caller or from where the service can read. */
export function IngestButton() {
  const [, navigate] = useLocation();
  const [from, setFrom] = useState('file');
  const [file, setFile] = useState<File | null>(null);
  const [source, setSource] = useState('');
  const [table, setTable] = useState('');
  const [type, setType] = useState('');
  const [validation, setValidation] = useState<string | null>('quarantine');
  if (!useMay('engineer')) return null;
  const send = async () => {
    const place = from === 'file' && file ? (await upload(file)).source : source.trim();
    const options = { validation, ...(from === 'source' && table.trim() ? { table: table.trim() } : {}) };
    const body = { source: place, data_type: type.trim(), options };
    return client.post('/data/ingest', { body: body as never, idempotencyKey: newKey() });
  };
  return (
    <FormButton
      label="Ingest data"
      title="Ingest data"
      submit="Start ingestion"
      isReady={type.trim() !== '' && (from === 'file' ? file !== null : source.trim() !== '')}
      send={send}
      onDone={({ job_id: job }) => navigate(pathTo.job(job))}
    >
      <Radio.Group label="From" value={from} onChange={setFrom}>
        <Radio value="file" label="A file of yours" mt="xs" />
        <Radio value="source" label="A place that the service can read" mt="xs" />
      </Radio.Group>
      {from === 'file' ? (
        <FileInput
          label="File"
          description="CSV, TSV, NDJSON, JSON, Parquet or Arrow, also packed with gzip or zstd"
          placeholder="Choose a file"
          value={file}
          onChange={setFile}
          clearable
          clearButtonProps={{ 'aria-label': 'Take the file away' }}
        />
      ) : (
        <>
          <TextInput
            label="Source"
            description="postgresql://…, https://…, s3://…, events:…, or a file below a data folder"
            value={source}
            onChange={(event) => setSource(event.currentTarget.value)}
          />
          <TextInput
            label="Table"
            description="PostgreSQL only"
            value={table}
            onChange={(event) => setTable(event.currentTarget.value)}
          />
        </>
      )}
      <TextInput
        label="Data type"
        description="The name by which models find it, such as user_events"
        required
        value={type}
        onChange={(event) => setType(event.currentTarget.value)}
      />
      <Select
        label="Rows that fail a check"
        data={[
          { value: 'quarantine', label: 'go to quarantine' },
          { value: 'fail', label: 'fail the job' },
        ]}
        value={validation}
        onChange={setValidation}
        allowDeselect={false}
      />
    </FormButton>
  );
}

const FORMATS: Record<string, string> = {
  csv: 'csv',
  tsv: 'tsv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  json: 'json',
  parquet: 'parquet',
  arrow: 'arrow',
};
const PACKINGS: Record<string, string> = { gz: 'gzip', zst: 'zstd' };

/** @throws Error that says what the service did not take */
async function upload(file: File): Promise<Upload> {
  const endings = file.name.toLowerCase().split('.').toReversed();
  const compression = PACKINGS[endings[0] ?? ''] ?? 'none';
  const format = FORMATS[endings[compression === 'none' ? 0 : 1] ?? ''];
  if (!format) throw new Error(`the name ${file.name} ends with no format that is known, such as .csv or .json.gz`);
  const response = await sendSigned(`/data/uploads?format=${format}&compression=${compression}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: file,
  });
  const answer = (await response.json()) as Upload & { detail?: string };
  if (!response.ok) throw new Error(answer.detail ?? `the upload was answered with ${response.status}`);
  return answer;
}
