import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../infra/local/embedded-postgres.js';
import { deleteStateFolder } from '../../infra/local/state-folder.js';
import { applyMigrations } from '../../services/database/apply-migrations.js';
import { openDatabase, type Database } from '../../services/database/database.js';

/** A PostgreSQL of its own with all migrations, in a folder that goes with it. */
export class MigratedDatabase {
  private constructor(
    readonly folder: string,
    private server: Awaited<ReturnType<typeof startEmbeddedPostgres>>,
    readonly database: Database,
  ) {}

  static async start(): Promise<MigratedDatabase> {
    const folder = mkdtempSync(join(tmpdir(), 'mlops-database-'));
    const server = await startEmbeddedPostgres({ stateDir: folder });
    await applyMigrations(server.url);
    return new MigratedDatabase(
      folder,
      server,
      openDatabase(server.url, () => undefined),
    );
  }

  get url(): string {
    return this.server.url;
  }

  /** SIGKILL, and a new start on the same files and port. */
  async kill9AndStartAgain(): Promise<void> {
    await this.server.kill9();
    this.server = await startEmbeddedPostgres({ stateDir: this.folder, port: this.server.port });
  }

  async stop(): Promise<void> {
    await this.database.close();
    await this.server.stop();
    deleteStateFolder(this.folder);
  }
}
