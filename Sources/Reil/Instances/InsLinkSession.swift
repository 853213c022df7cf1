import API
import Base
import Domain
import HTTP

/// The link of one Ins, at this Reil: what it says goes to the roster, what it is told goes out
/// once a turn of its loop, in order.
final class InsLinkSession: MessageReceiver {
    /// What waits to be sent. Commands gather in one frame until something else has to follow.
    private final class Outbox {
        var frames: [Frame] = []
        var commands = ByteWriter()
        var isFlushQueued = false

        func closeCommands() {
            guard !commands.isEmpty else { return }
            frames.append(.binary(commands.array()))
            commands.removeAll()
        }
    }
    private enum Frame {
        case text([UInt8])
        case binary([UInt8])
    }

    /// So many bytes of commands fill a frame: a message of a link has an end.
    private static let frameBytes = 1 << 20

    /// The id of its credential.
    let credential: String
    private let roster: InsRoster
    private let sink: any WebSocketSink
    private let ambient: Ambient
    private let outbox = Lock(Outbox())
    private let own = Lock<InsReport?>(nil)

    init(
        _ sink: any WebSocketSink, credential: String, roster: InsRoster, ambient: Ambient
    ) {
        self.sink = sink
        self.credential = credential
        self.roster = roster
        self.ambient = ambient
    }

    /// What it said of itself; nil before its `hello`.
    var report: InsReport? { own.withLock { $0 } }

    /// Tells it something; from any thread.
    func send(_ instruction: InsInstruction) {
        let frame = JSONCoder.encode(instruction)
        append { outbox in
            outbox.closeCommands()
            outbox.frames.append(.text(frame))
        }
    }

    /// Passes on what a member says; from any thread.
    func send(
        _ command: RoomCommands.Command, from player: PlayerID, to instance: InstanceID,
        epoch: Int64, json: ArraySlice<UInt8>
    ) {
        append { outbox in
            if outbox.commands.isEmpty { RoomCommands.begin(&outbox.commands) }
            RoomCommands.append(
                instance: instance, epoch: epoch, player: player, command, json: json,
                to: &outbox.commands)
            if outbox.commands.count > Self.frameBytes { outbox.closeCommands() }
        }
    }

    /// Ends it; from any thread.
    func close(_ code: CloseCode, reason: String) {
        sink.loop.execute { self.sink.close(code, reason: reason) }
    }

    private func append(_ body: (Outbox) -> Void) {
        let mustQueue = outbox.withLock { outbox in
            body(outbox)
            defer { outbox.isFlushQueued = true }
            return !outbox.isFlushQueued
        }
        if mustQueue { sink.loop.execute { self.flush() } }
    }

    private func flush() {
        let frames = outbox.withLock { outbox in
            outbox.isFlushQueued = false
            outbox.closeCommands()
            defer { outbox.frames = [] }
            return outbox.frames
        }
        for frame in frames {
            switch frame {
            case .text(let bytes): sink.send(text: bytes)
            case .binary(let bytes): sink.send(binary: bytes)
            }
        }
        // One that leaves so much unread is of no use to its rooms.
        if sink.pending > LinkProtocol.ins.pendingLimit {
            sink.close(.slow, reason: "")
        }
    }

    func received(text: [UInt8]) {
        do throws(Refusal) {
            try take(text)
        } catch {
            refuse(error.reason)
        }
    }

    func received(binary: [UInt8]) {
        guard report != nil, let batch = try? RoomBatch(reading: binary),
            BatchSlices.isSound(batch)
        else { return refuse("a batch that is none") }
        roster.deliver(batch, from: self)
    }

    func writable() {}

    func closed(_ code: CloseCode) { roster.lost(self) }

    fileprivate struct Refusal: Error { let reason: String }

    private func refuse(_ reason: String) {
        ambient.log.warning(
            "ins says what it may not", .text("ins", credential), .reason(reason))
        sink.close(.policy, reason: reason)
    }

    private func take(_ text: [UInt8]) throws(Refusal) {
        if let told = try ToldSnapshot.read(text) {
            guard report != nil else { throw Refusal(reason: "no hello") }
            return roster.told(told, from: self)
        }
        let statement: InsStatement
        do {
            statement = try JSONCoder.decode(InsStatement.self, from: JSONParser.parse(text))
        } catch {
            throw Refusal(reason: "a statement that is none")
        }
        switch (statement, report) {
        case (.hello(let name, let version, let capacity, let region), nil):
            report(
                InsReport(
                    credential: credential, name: name, version: version,
                    capacity: capacity, region: region, load: 0))
            roster.linked(self)
        case (.load(let load, _), let known?):
            report(
                InsReport(
                    credential: credential, name: known.name, version: known.version,
                    capacity: known.capacity, region: known.region, load: min(max(load, 0), 1)))
            roster.tell(of: self)
        case (.refused(let instance, let epoch, let player), .some):
            roster.refused(instance, epoch, player, by: self)
        case (
            .object(let instance, let epoch, let player, let ticket, let object, let error), .some
        ):
            let answer: Result<RoomObject, APIError> =
                if let object { .success(object) } else {
                    .failure(APIError(error.flatMap { ErrorCode(rawValue: $0) } ?? .internalError))
                }
            roster.answered(ticket, answer, of: player, in: instance, epoch, by: self)
        case (.hello, .some), (.load, nil), (.refused, nil), (.object, nil), (.entered, _),
            (.resumed, _):
            throw Refusal(reason: "out of turn")
        }
    }

    private func report(_ report: InsReport) { own.withLock { $0 = report } }

    /// An `entered` or a `resumed`, whose snapshot is passed on as it came.
    struct ToldSnapshot: Sendable {
        let instance: InstanceID
        let epoch: Int64
        /// Who has entered; nil where the room is told anew to all who are in.
        let player: PlayerID?
        /// A JSON object.
        let snapshot: [UInt8]

        /// Nil for another statement.
        fileprivate static func read(_ text: [UInt8]) throws(Refusal) -> ToldSnapshot? {
            let broken = Refusal(reason: "a statement that is none")
            guard let outer = try? JSONScanner.object(text, in: text.indices) else { throw broken }
            let entered = outer["entered"]
            guard let told = entered ?? outer["resumed"] else { return nil }
            guard let object = try? JSONScanner.object(text, in: told) else { throw broken }
            func scalar<Kind: IDKind>(_ name: StaticString) -> ID<Kind>? {
                object[name].flatMap { JSONScanner.text(text, $0) }.flatMap { ID<Kind>($0) }
            }
            let player: PlayerID? = scalar("player")
            guard let instance: InstanceID = scalar("instance"),
                outer.members.count == 1, (player != nil) == (entered != nil),
                let epoch = object["epoch"].flatMap({
                    Int64(String(decoding: text[$0], as: UTF8.self))
                }),
                let snapshot = object["snapshot"], text[snapshot.lowerBound] == UInt8(ascii: "{")
            else { throw broken }
            return ToldSnapshot(
                instance: instance, epoch: epoch, player: player, snapshot: Array(text[snapshot]))
        }
    }
}
