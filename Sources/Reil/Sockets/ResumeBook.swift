import Base
import Crypto
import HTTP

/// By which word each socket may be resumed, and where it is kept. Only the words' hashes are here.
final class ResumeBook: Sendable {
    /// Where a socket is kept.
    struct Place: Sendable, Equatable {
        /// Which loop.
        let loop: Int
        /// Which of its sockets.
        let socket: Int
    }

    private let places = Lock<[SHA256Digest: Place]>([:])

    /// Makes what a word is known by.
    static func key(_ word: String) -> SHA256Digest { SHA256.hash(Array(word.utf8)) }

    /// A socket may be resumed by that word from now on.
    func set(_ key: SHA256Digest, _ place: Place) { places.withLock { $0[key] = place } }

    /// The socket that a word resumes; it resumes none any more.
    func take(_ key: SHA256Digest) -> Place? { places.withLock { $0.removeValue(forKey: key) } }

    /// The word resumes nothing any more.
    func forget(_ key: SHA256Digest) { places.withLock { $0[key] = nil } }
}

/// Events of the node's own subgroup that a socket was sent last: what it missed, should it drop.
struct RecentEvents {
    private var events: [(number: Int64, frame: [UInt8])] = []
    private var bytes = 0
    /// The last one that is not here any more.
    private var lost: Int64
    /// The last one before anything was kept.
    private let beginning: Int64

    /// Bytes of events that one socket is kept.
    private static let limit = 32 << 10

    /// Nothing was sent since the event of that number.
    init(since number: Int64) {
        lost = number
        beginning = number
    }

    /// An event was sent.
    mutating func append(_ number: Int64, _ frame: [UInt8]) {
        events.append((number, frame))
        bytes += frame.count
        var gone = 0
        while bytes > Self.limit, gone < events.count {
            bytes -= events[gone].frame.count
            lost = events[gone].number
            gone += 1
        }
        events.removeFirst(gone)
    }

    /// What came behind the event of that number, or of any where none was seen; nil where that is
    /// not at hand.
    func missed(since number: Int64?) -> [[UInt8]]? {
        let number = number ?? beginning
        guard number >= lost else { return nil }
        return events.filter { $0.number > number }.map(\.frame)
    }
}

/// In front of a socket that comes back: what is sent to it waits, in its order, until it was told
/// what it missed. It counts as pending, so who is sent too much meanwhile is too slow as ever.
final class HoldingSink: WebSocketSink {
    private enum Held {
        case text([UInt8])
        case binary([UInt8])
        case framed([ArraySlice<UInt8>])
    }
    private struct State {
        var held: [Held] = []
        var bytes = 0
    }

    /// The socket itself.
    let sink: any WebSocketSink
    private let state = Lock(State())

    init(_ sink: any WebSocketSink) { self.sink = sink }

    var loop: any LoopExecutor { sink.loop }
    var client: IPAddress { sink.client }
    var pending: Int { sink.pending + state.withLock { $0.bytes } }

    func send(text: [UInt8]) { hold(.text(text), text.count) }
    func send(binary: [UInt8]) { hold(.binary(binary), binary.count) }
    func send(framed: [ArraySlice<UInt8>]) {
        hold(.framed(framed), framed.reduce(0) { $0 + $1.count })
    }
    func close(_ code: CloseCode, reason: String) { sink.close(code, reason: reason) }

    private func hold(_ held: Held, _ size: Int) {
        state.withLock { state in
            state.held.append(held)
            state.bytes += size
        }
    }

    /// Sends what has waited.
    func release() {
        let held = state.withLock { state in
            defer { state = State() }
            return state.held
        }
        for held in held {
            switch held {
            case .text(let text): sink.send(text: text)
            case .binary(let bytes): sink.send(binary: bytes)
            case .framed(let frames): sink.send(framed: frames)
            }
        }
    }
}

/// Where a socket that has dropped is sent to: what it misses is kept elsewhere.
struct SilentSink: WebSocketSink {
    let loop: any LoopExecutor
    let client: IPAddress
    var pending: Int { 0 }

    func send(text: [UInt8]) {}
    func send(binary: [UInt8]) {}
    func send(framed: [ArraySlice<UInt8>]) {}
    func close(_ code: CloseCode, reason: String) {}
}
