import type { Broker } from "../../broker/broker.ts";
import type { Limits } from "../limits.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { Publisher } from "../publisher.ts";
import type { Tracer } from "../tracing.ts";
import { AttachCommands } from "./attach-commands.ts";
import { Attachments } from "./attachments.ts";
import { Clients } from "./clients.ts";
import { ControlFold } from "./control-fold.ts";
import { ControlWriter } from "./control-writer.ts";
import { Deliveries } from "./deliveries.ts";
import { Digests, LOOK_BACK } from "./digests.ts";
import { createDirect, type Direct } from "./direct.ts";
import { Edges } from "./edges.ts";
import { Erasure } from "./erasure.ts";
import { EventRate } from "./event-rate.ts";
import { History } from "./history.ts";
import { Membership } from "./membership.ts";
import { Messages } from "./messages.ts";
import { createModerating, type Moderating } from "./moderating.ts";
import { Notices } from "./notices.ts";
import { PublishStreams } from "./publish-stream.ts";
import { Revocations } from "./revocations.ts";
import { type RoomCreation, Rooms } from "./rooms.ts";
import { Snapshots } from "./snapshots.ts";
import { Sweeper } from "./sweeper.ts";
import { Users } from "./users.ts";
import { Watches } from "./watch.ts";
import { SharedTail } from "./watch-tail.ts";

/** What a control plane needs. */
export interface ControlPlaneOptions {
  /** Not closed by the control plane. */
  readonly broker: Broker;
  readonly limits: Limits;
  readonly roomCreation: RoomCreation;
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined;
  readonly log: Logger;
  readonly metrics?: Metrics;
  /** The clock of what is stored, in milliseconds since 1970. Default Date.now. */
  readonly now?: () => number;
}

/** One replica of the control plane. Replicas know nothing of each other: each folds the same control log. */
export interface ControlPlane {
  readonly rooms: Rooms;
  readonly membership: Membership;
  readonly clients: Clients;
  readonly edges: Edges;
  readonly deliveries: Deliveries;
  readonly history: History;
  /** The latest of each key; runs by itself. */
  readonly snapshots: Snapshots;
  readonly messages: Messages;
  readonly publishStreams: PublishStreams;
  readonly watches: Watches;
  readonly direct: Direct;
  readonly moderating: Moderating;
  readonly attachments: Attachments;
  readonly notices: Notices;
  readonly erasure: Erasure;
  readonly revocations: Revocations;
  readonly fold: ControlFold;
  /** Takes out what dead edges left; runs by itself. */
  readonly sweeper: Sweeper;
  /** Says where logs end; runs by itself. */
  readonly digests: Digests;
  /** Ends every stream and every timer; what it wrote stays. Idempotent. */
  close(): Promise<void>;
}

/** Opens a replica; resolves when it knows what the control log says. @throws RoomError unavailable. */
export async function openControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { broker, limits, roomCreation, tracer, log, metrics, now = Date.now } = options;
  const { control, epoch } = broker;
  const fold = new ControlFold({ control, limits, log });
  const writer = new ControlWriter({ control, fold });
  const users = new Users({ control, fold, writer, now });
  const rooms = new Rooms({ broker, fold, writer, roomCreation, now });
  const membership = new Membership({ fold, writer, rooms, users, limits, now });
  const clients = new Clients({ fold, writer, users, membership, limits });
  const history = new History({ broker, rooms });
  const tail = new SharedTail({ broker });
  const snapshots = new Snapshots({ broker, fold, tail, limits, log });
  const moderating = createModerating({ control, fold, writer, rooms, membership, log, now });
  const { audit, housekeeper } = moderating;
  const direct = createDirect({ broker, fold, writer, users, tail, limits, audit, now });
  const { conversations, recipients } = direct;
  const publisher = new Publisher({ broker, now, tracer });
  const messages = new Messages({ rooms, users, history, recipients, publisher, audit, snapshots, metrics });
  const own = { direct: direct.commands, moderation: moderating.commands };
  const reads = { history, snapshots };
  const commands = new AttachCommands({ fold, rooms, membership, clients, ...reads, messages, ...own });
  const watches = new Watches({ broker, tail, rooms, metrics });
  const publishStreams = new PublishStreams({ epoch, log, metrics });
  const digests = new Digests({
    tail,
    fold,
    ofRooms: broker.losesLive,
    onDigest: (digest) => attachments.digest(digest),
  });
  const following = { digests, conversations, tracer };
  const attachments = new Attachments({ fold, writer, rooms, commands, ...following, epoch, log, metrics });
  const sweeper = new Sweeper({ control, fold, writer, clients, log, metrics, now });
  const close = async (): Promise<void> => {
    attachments.close();
    watches.close();
    publishStreams.close();
    digests.close();
    conversations.close();
    tail.close();
    await Promise.all([sweeper.close(), housekeeper.close(), snapshots.close()]);
    fold.close();
  };
  try {
    await fold.start();
    digests.start();
    await tail.start(LOOK_BACK);
    await Promise.all([conversations.start(), snapshots.start()]);
  } catch (error) {
    await close();
    throw error;
  }
  sweeper.start();
  housekeeper.start();
  const edges = new Edges({ fold, writer, epoch, logRate: logRateOf(tail), now });
  const erasure = new Erasure({ broker, publisher, audit });
  const notices = new Notices({ writer, now });
  const revocations = new Revocations({ fold, writer, audit, now });
  const deliveries = new Deliveries({ broker, rooms, clients, history });
  const reading = { rooms, membership, clients, edges, deliveries, history, snapshots, watches };
  return {
    ...reading,
    direct,
    moderating,
    messages,
    publishStreams,
    attachments,
    notices,
    erasure,
    revocations,
    fold,
    sweeper,
    digests,
    close,
  };
}

/** Counts what is stored from now on, not what of the past is heard once more. */
function logRateOf(tail: SharedTail): EventRate {
  const rate = new EventRate();
  const { position } = tail;
  tail.listen(({ seq }) => seq > position && rate.count());
  return rate;
}
