import Base
import Domain
import HTTP

/// Transforms that are conflated: those a client sent too fast, by instance and path, and those it
/// does not read, by instance, player and path. Bounded; what has no room is dropped, a newer one
/// will come.
final class Excess {
    private static let sentLimit = 128
    private static let unreadLimit = 4_096
    /// Bytes of one frame: an Ins makes none so large, and what waits is bounded by both.
    private static let frameLimit = 2_048

    private var sent: [InstanceID: [String: SocketFrame]] = [:]
    private var unread: [InstanceID: [[UInt8]: ArraySlice<UInt8>]] = [:]

    var isEmpty: Bool { !hasSent && !hasUnread }
    /// Whether something the client said waits for its rate.
    var hasSent: Bool { !sent.isEmpty }
    /// Whether something waits for the client to read. As long as it does all newer state waits
    /// with it, or an older one would be told last.
    var hasUnread: Bool { !unread.isEmpty }

    /// Keeps the newest that the client said of a path.
    func keep(sent frame: SocketFrame, path: String, in instance: InstanceID) {
        let count = sent.values.reduce(0) { $0 + $1.count }
        if count < Self.sentLimit || sent[instance]?[path] != nil {
            sent[instance, default: [:]][path] = frame
        }
    }

    /// Takes those that `may` let go.
    func releaseSent(_ may: () -> Bool) -> [SocketFrame] {
        var released: [SocketFrame] = []
        for (instance, frames) in sent {
            for (path, frame) in frames {
                guard may() else { return released }
                released.append(frame)
                sent[instance]?[path] = nil
            }
            sent[instance] = nil
        }
        return released
    }

    /// Keeps the newest frame of each key of a segment that holds state.
    func keep(unread segment: ArraySlice<UInt8>, of instance: InstanceID) {
        var count = unread.values.reduce(0) { $0 + $1.count }
        for frame in RoomFrameList(segment) where frame.bytes.count <= Self.frameLimit {
            let key = frame.stateKey
            let isNew = unread[instance]?[key] == nil
            if isNew, count >= Self.unreadLimit { continue }
            // A copy, so that one frame does not hold the whole batch.
            unread[instance, default: [:]][key] = Array(frame.bytes)[...]
            if isNew { count += 1 }
        }
    }

    /// Takes of what was not read as much as `limit` bytes, and at least one.
    func takeUnread(upTo limit: Int = .max) -> [ArraySlice<UInt8>] {
        var taken: [ArraySlice<UInt8>] = []
        var size = 0
        for (instance, frames) in unread {
            for (key, frame) in frames {
                if size > 0, size + frame.count > limit { return taken }
                size += frame.count
                taken.append(frame)
                unread[instance]?[key] = nil
            }
            unread[instance] = nil
        }
        return taken
    }

    /// The client is in that instance no more.
    func forget(_ instance: InstanceID) {
        sent[instance] = nil
        unread[instance] = nil
    }

    /// What waits to be read of that instance is told anew.
    func forgetUnread(_ instance: InstanceID) { unread[instance] = nil }

    /// Those whose leaving an event of the room tells are heard of no more behind it.
    func forgetLeft(in event: ArraySlice<UInt8>, of instance: InstanceID) {
        guard unread[instance] != nil else { return }
        for frame in RoomFrameList(event) where frame.payload.starts(with: Self.left) {
            guard let told = try? JSONParser.parse(frame.payload),
                let player = told["data"]?["player"]?.stringValue
            else { continue }
            let mark = Array(#""player":"\#(player)","#.utf8)
            for key in unread[instance, default: [:]].keys
            where key.firstRange(of: mark) != nil { unread[instance]?[key] = nil }
        }
        if unread[instance]?.isEmpty == true { unread[instance] = nil }
    }

    private static let left = Array(#"{"command":"instance-left","#.utf8)
}
