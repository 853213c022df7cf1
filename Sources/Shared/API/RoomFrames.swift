import Base
import Domain

/// Why a binary frame of an Ins link cannot be read.
public struct RoomFrameError: Error, Equatable {
    /// Where.
    public let offset: Int
}

/// What a room says in one tick: Ins → Reil, one binary frame.
///
///     kind 1 │ instance 16 │ epoch 8 │ segments 4 │ table … │ bytes …
///     table entry: sender 16 │ audience 1 │ length 4 │ (audience 1: count 2 │ player 16 each)
///     audience: 0 the others, 1 those named, 2 the others, of state that newer state replaces
///
/// `bytes` are WebSocket text frames, unmasked and complete, in the order of the table: who
/// receives all of them gets this one piece of memory, a sender the pieces around their own.
public struct RoomBatch: Sendable {
    /// Who receives a segment.
    public enum Audience: Sendable, Equatable {
        /// All members but the sender (nobody's own, when the sender is nil).
        case others
        /// These alone.
        case players([PlayerID])
    }

    /// Frames of one sender for one audience.
    public struct Segment: Sendable {
        /// Whose words they are; nil for the room's own.
        public let sender: PlayerID?
        /// Who receives them.
        public let audience: Audience
        /// Whether it is state: what a slow receiver need not have when newer state is there.
        public let isState: Bool
        /// Where they stand in `bytes`.
        public let range: Range<Int>
    }

    /// The instance.
    public let instance: InstanceID
    /// The epoch that its Ins was given.
    public let epoch: Int64
    /// In the order of the bytes, without gaps.
    public let segments: [Segment]
    /// The whole frame that was read; ranges are into it.
    public let bytes: [UInt8]

    static let kind: UInt8 = 1

    /// Reads a frame.
    public init(reading frame: [UInt8]) throws(RoomFrameError) {
        do {
            self = try Self.read(frame)
        } catch let error as ByteReaderError {
            throw RoomFrameError(offset: error.offset)
        } catch {
            throw RoomFrameError(offset: 0)
        }
    }

    private init(instance: InstanceID, epoch: Int64, segments: [Segment], bytes: [UInt8]) {
        self.instance = instance
        self.epoch = epoch
        self.segments = segments
        self.bytes = bytes
    }

    private static func read(_ frame: [UInt8]) throws -> RoomBatch {
        let span = frame.span
        var reader = ByteReader()
        guard try reader.uint8(span) == kind else { throw ByteReaderError(offset: 0) }
        guard let instance = InstanceID(bytes: Array(frame[try reader.range(span, length: 16)]))
        else { throw ByteReaderError(offset: 1) }
        let epoch = Int64(bitPattern: try reader.uint64(span))
        let count = Int(try reader.uint32(span))
        // Each entry takes at least 21 bytes: a claimed count beyond that is a lie.
        guard count <= reader.remaining(in: span) / 21 else {
            throw ByteReaderError(offset: reader.offset)
        }
        var entries: [(PlayerID?, Audience, Bool, Int)] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            let name = Array(frame[try reader.range(span, length: 16)])
            let sender = name.allSatisfy { $0 == 0 } ? nil : PlayerID(bytes: name)
            let audience = try reader.uint8(span)
            let length = Int(try reader.uint32(span))
            if audience != 1 {
                guard audience == 0 || audience == 2 else {
                    throw ByteReaderError(offset: reader.offset - 5)
                }
                entries.append((sender, .others, audience == 2, length))
            } else {
                var players: [PlayerID] = []
                for _ in 0..<(try reader.uint16(span)) {
                    let range = try reader.range(span, length: 16)
                    if let player = PlayerID(bytes: Array(frame[range])) { players.append(player) }
                }
                entries.append((sender, .players(players), false, length))
            }
        }
        var segments: [Segment] = []
        segments.reserveCapacity(count)
        for (sender, audience, isState, length) in entries {
            segments.append(
                Segment(
                    sender: sender, audience: audience, isState: isState,
                    range: try reader.range(span, length: length)))
        }
        guard reader.remaining(in: span) == 0 else { throw ByteReaderError(offset: reader.offset) }
        return RoomBatch(instance: instance, epoch: epoch, segments: segments, bytes: frame)
    }
}

/// Builds a ``RoomBatch`` frame as a tick goes on.
public struct RoomBatchWriter: ~Copyable {
    private var table = ByteWriter()
    private var bytes = ByteWriter()
    private var count: UInt32 = 0

    /// An empty batch.
    public init() {}

    /// Whether nothing was said.
    public var isEmpty: Bool { count == 0 }

    /// How many bytes of frames wait.
    public var byteCount: Int { bytes.count }

    /// Appends WebSocket frames of one sender; `write` puts them at the end of the writer.
    /// `isState` marks what newer state replaces, which is never for some alone.
    public mutating func append(
        sender: PlayerID?, audience: RoomBatch.Audience, isState: Bool = false,
        _ write: (inout ByteWriter) -> Void
    ) {
        let before = bytes.count
        write(&bytes)
        table.append(sender?.bytes ?? [UInt8](repeating: 0, count: 16))
        switch audience {
        case .others:
            table.append(isState ? 2 : 0)
            table.append(bigEndian: UInt32(bytes.count - before))
        case .players(let players):
            table.append(1)
            table.append(bigEndian: UInt32(bytes.count - before))
            table.append(bigEndian: UInt16(players.count))
            for player in players { table.append(player.bytes) }
        }
        count += 1
    }

    /// The frame, and an empty batch again.
    public mutating func take(instance: InstanceID, epoch: Int64) -> [UInt8] {
        var frame = ByteWriter(capacity: 29 + table.count + bytes.count)
        frame.append(RoomBatch.kind)
        frame.append(instance.bytes)
        frame.append(bigEndian: UInt64(bitPattern: epoch))
        frame.append(bigEndian: count)
        table.withSpan { frame.append($0) }
        bytes.withSpan { frame.append($0) }
        table.removeAll()
        bytes.removeAll()
        count = 0
        return frame.array()
    }
}

/// What members say to their rooms: Reil → Ins, one binary frame of any number of commands.
///
///     kind 2 │ entries …
///     entry: instance 16 │ epoch 8 │ player 16 │ command 1 │ length 4 │ the command's `data`, JSON
public enum RoomCommands {
    /// What can be said.
    public enum Command: UInt8, Sendable {
        case data = 1
        case transform = 2
        /// Eight bytes of a ticket, by which the answer is known, stand before the JSON.
        case object = 3
    }

    /// One command of a member.
    public struct Entry: Sendable {
        /// The instance.
        public let instance: InstanceID
        /// The epoch under which Reil knows it.
        public let epoch: Int64
        /// Who says it.
        public let player: PlayerID
        /// What it is.
        public let command: Command
        /// Where its `data` stands in the frame.
        public let range: Range<Int>
    }

    static let kind: UInt8 = 2

    /// Begins a frame.
    public static func begin(_ frame: inout ByteWriter) { frame.append(kind) }

    /// Appends a command whose `data` is `json`.
    public static func append(
        instance: InstanceID, epoch: Int64, player: PlayerID, _ command: Command,
        json: ArraySlice<UInt8>, to frame: inout ByteWriter
    ) {
        frame.append(instance.bytes)
        frame.append(bigEndian: UInt64(bitPattern: epoch))
        frame.append(player.bytes)
        frame.append(command.rawValue)
        frame.append(bigEndian: UInt32(json.count))
        frame.append(json)
    }

    /// Reads a frame; ranges are into it.
    public static func read(_ frame: [UInt8]) throws(RoomFrameError) -> [Entry] {
        var entries: [Entry] = []
        do {
            let span = frame.span
            var reader = ByteReader()
            guard try reader.uint8(span) == kind else { throw RoomFrameError(offset: 0) }
            while reader.remaining(in: span) > 0 {
                let start = reader.offset
                let instance = InstanceID(bytes: Array(frame[try reader.range(span, length: 16)]))
                let epoch = Int64(bitPattern: try reader.uint64(span))
                let player = PlayerID(bytes: Array(frame[try reader.range(span, length: 16)]))
                let command = Command(rawValue: try reader.uint8(span))
                let length = Int(try reader.uint32(span))
                let range = try reader.range(span, length: length)
                guard let instance, let player, let command else {
                    throw RoomFrameError(offset: start)
                }
                entries.append(
                    Entry(
                        instance: instance, epoch: epoch, player: player, command: command,
                        range: range))
            }
            return entries
        } catch let error as ByteReaderError {
            throw RoomFrameError(offset: error.offset)
        } catch let error as RoomFrameError {
            throw error
        } catch {
            throw RoomFrameError(offset: 0)
        }
    }
}
