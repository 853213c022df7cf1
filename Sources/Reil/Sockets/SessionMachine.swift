import API
import Base
import Domain
import HTTP

/// What one client's socket may do now: who it is, how often it speaks, what it hears. Pure.
///
/// `receive` judges each message; what has to be asked of others is the shell's, which reports the
/// outcome by `authenticated` or `refused`.
struct SessionMachine {
    /// What to do about a message.
    enum Verdict {
        case perform(SocketCommand, SocketFrame)
        /// It is for that service, or from it.
        case relay(ServiceID, SocketFrame)
        case answer([UInt8])
        /// A transform beyond the rate: the newest of each path is to be sent later.
        case hold(SocketFrame)
        /// Nothing now: it is kept until the authentication that is under way has ended.
        case wait
        case close(CloseCode)
    }

    /// Bounds of one socket, docs/client/socket.md, "How much is too much".
    enum Limits {
        static let authentication = Duration.seconds(10)
        static let tries = 5
        static let instances = 4
        // In nanoseconds, as they are reckoned with for each message.
        /// A burst is three seconds' worth.
        static let burst: UInt64 = 3_000_000_000
        /// 60 a second.
        static let command: UInt64 = 1_000_000_000 / 60
        /// 1,200 a second.
        static let transform: UInt64 = 1_000_000_000 / 1_200
        /// 2 MiB a second.
        static let byte: UInt64 = 1_000_000_000 / (2 << 20)
        /// How soon a refusal for speaking too often is forgiven: whoever heeds them stays.
        static let refusal: UInt64 = 100_000_000
        /// So many not forgiven ones close the socket.
        static let refusals: UInt64 = 180
        /// Messages kept while an authentication is under way.
        static let waiting = 64
    }

    private enum Phase {
        case anonymous
        case authenticated
    }

    private var phase = Phase.anonymous
    /// Whether an authentication is under way.
    private(set) var isBusy = false
    private var tries = 0
    /// The number of the last event of the subgroup `avr`.
    private(set) var sequence: Int64 = 0
    private var waiting: [SocketFrame] = []
    private var commands = Bucket()
    private var volume = Bucket()
    private var transforms = Bucket()
    private var refusals = Bucket()
    /// What it has subscribed to.
    private(set) var subscriptions = EventSet()
    /// When it is closed unless it has authenticated.
    let deadline: Instant

    /// A socket that was opened at `now`.
    init(now: Instant) { deadline = now + Limits.authentication }

    /// Whether somebody is known to speak.
    var isAuthenticated: Bool {
        switch phase {
        case .anonymous: false
        case .authenticated: true
        }
    }

    /// Judges a message.
    mutating func receive(_ message: [UInt8], now: Instant) -> Verdict {
        let cost = UInt64(message.count) * Limits.byte
        let isLight = volume.take(cost, upTo: Limits.burst, now: now)
        let frame: SocketFrame
        switch SocketFrame.read(message) {
        case .malformed(let found):
            guard isLight, commands.take(Limits.command, upTo: Limits.burst, now: now) else {
                return tooMuch(found, now)
            }
            return .answer(found.refusal(APIError(.malformedRequest)))
        case .frame(let found): frame = found
        }
        guard isLight else { return tooMuch(frame, now) }
        let command = CommandNames.command(frame)
        if command == .instanceTransform, isAuthenticated, !frame.isForService {
            guard transforms.take(Limits.transform, upTo: Limits.burst, now: now) else {
                return .hold(frame)
            }
        } else if !commands.take(Limits.command, upTo: Limits.burst, now: now) {
            return tooMuch(frame, now)
        }
        return judge(command, frame)
    }

    private mutating func tooMuch(_ frame: SocketFrame, _ now: Instant) -> Verdict {
        let limit = Limits.refusal * Limits.refusals
        guard refusals.take(Limits.refusal, upTo: limit, now: now) else { return .close(.tooMany) }
        return .answer(frame.refusal(.tooManyRequests(retryAfter: .seconds(1))))
    }

    private mutating func judge(_ command: SocketCommand?, _ frame: SocketFrame) -> Verdict {
        if isBusy {
            guard waiting.count < Limits.waiting else {
                return .answer(frame.refusal(.tooManyRequests(retryAfter: .seconds(1))))
            }
            waiting.append(frame)
            return .wait
        }
        switch frame.target {
        case .node, .instance: break
        case .service(let id):
            return isAuthenticated
                ? .relay(id, frame) : .answer(frame.refusal(APIError(.userNotLogged)))
        case .other: return .answer(frame.refusal(APIError(.serviceNotFound)))
        }
        guard let command else { return .answer(frame.refusal(APIError(.requestNotFound))) }
        switch command {
        case .ping: break
        case .authenticate: isBusy = true
        case .subscribe, .unsubscribe, .instanceJoin, .instanceLeave, .instanceData,
            .instanceTransform, .instanceObject, .instanceModerate, .instanceInvite:
            guard isAuthenticated else { return .answer(frame.refusal(APIError(.userNotLogged))) }
        }
        return .perform(command, frame)
    }

    /// A login at the upgrade begins.
    mutating func beginAuthentication() { isBusy = true }

    /// The authentication under way has succeeded. Somebody else than before hears nothing that
    /// the one before subscribed to.
    mutating func authenticated(asSomebodyElse: Bool) {
        isBusy = false
        phase = .authenticated
        tries = 0
        if asSomebodyElse { subscriptions = EventSet() }
    }

    /// It has failed; whether the socket is to be closed.
    mutating func refused() -> Bool {
        isBusy = false
        tries += 1
        return tries >= Limits.tries
    }

    /// What waited for the end of an authentication, one after the other.
    mutating func nextWaiting() -> Verdict? {
        if isBusy || waiting.isEmpty { return nil }
        let frame = waiting.removeFirst()
        if waiting.isEmpty { waiting = [] }
        return judge(CommandNames.command(frame), frame)
    }

    /// Whether a transform that was held may go now.
    mutating func mayRelease(now: Instant) -> Bool {
        transforms.take(Limits.transform, upTo: Limits.burst, now: now)
    }

    /// Subscribes or unsubscribes.
    mutating func change(_ events: EventSet, isWanted: Bool) {
        if isWanted {
            subscriptions.formUnion(events)
        } else {
            subscriptions.subtract(events)
        }
    }

    /// It goes on for another socket.
    mutating func goOn(from sequence: Int64, _ subscriptions: EventSet) {
        self.sequence = max(self.sequence, sequence)
        self.subscriptions.formUnion(subscriptions)
    }

    /// The number of the next event of the subgroup `avr`.
    mutating func nextSequence() -> Int64 {
        sequence += 1
        return sequence
    }
}

/// Tokens that come back evenly, as one number: the moment at which all are there again.
struct Bucket {
    private var full: UInt64 = 0

    /// Takes what comes back in `cost` nanoseconds, if no more than `burst` of it is out then.
    mutating func take(_ cost: UInt64, upTo burst: UInt64, now: Instant) -> Bool {
        let next = max(full, now.nanoseconds) + cost
        guard next - now.nanoseconds <= burst else { return false }
        full = next
        return true
    }
}

/// A set of events in four bytes.
struct EventSet: OptionSet {
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The set of `events`.
    init(_ events: some Sequence<SocketEvent>) {
        rawValue = events.reduce(0) { $0 | Self.bit($1) }
    }

    private static func bit(_ event: SocketEvent) -> UInt32 {
        let place = SocketEvent.allCases.firstIndex(of: event) ?? 31
        return 1 << UInt32(place)
    }

    /// The events, in the order of the contract.
    var events: [SocketEvent] {
        SocketEvent.allCases.filter { rawValue & Self.bit($0) != 0 }
    }

    /// Whether a subscription to these covers `event`, by itself or by a group.
    func covers(_ event: SocketEvent) -> Bool {
        var at: SocketEvent? = event
        while let current = at {
            if rawValue & Self.bit(current) != 0 { return true }
            at = current.group
        }
        return false
    }

    /// Whether anything that is not sent anyway may be covered.
    var isOfInterest: Bool {
        let updates: [SocketEvent] = [
            .updateUser, .updateServer, .updateWorld, .updateService, .updateInstance,
        ]
        return updates.contains { covers($0) }
    }
}

/// The names of commands, those of older clients among them.
enum CommandNames {
    /// What clients call a command beside its name.
    private static let others: [String: SocketCommand] = [
        "enter": .instanceJoin, "instance-enter": .instanceJoin, "join": .instanceJoin,
        "leave": .instanceLeave, "instance-exit": .instanceLeave,
    ]
    private static let all: [String: SocketCommand] = SocketCommand.allCases.reduce(into: others) {
        $0[$1.rawValue] = $1
    }

    /// The command that a frame names.
    static func command(_ frame: SocketFrame) -> SocketCommand? { command(frame.name) }

    /// The command of that name: `instance-join`, `instance:join`, `avr/instance:enter`,
    /// `avr/enter`.
    static func command(_ name: String) -> SocketCommand? {
        if let command = all[name] { return command }
        var plain = name[...]
        if plain.hasPrefix("avr/") { plain = plain.dropFirst(4) }
        return all[String(plain.map { $0 == ":" ? "-" : $0 })]
    }
}
