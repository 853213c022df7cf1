import API
import Base
import Domain
import HTTP

/// What the sockets of one loop need from time to time: deadlines, a second look at what they rest
/// on when Eta is back, what came too fast, the end.
extension SocketLoop {
    /// How often deadlines are looked at, for all sockets at once.
    private static let tick = Duration.seconds(1)
    /// How soon a transform that came too fast is looked at again.
    private static let release = Duration.milliseconds(25)
    /// Sockets that Eta is asked about at once.
    private static let recheckSize = 500

    func startTicking() {
        guard !isTicking else { return }
        isTicking = true
        _ = loop.schedule(after: Self.tick) { self.assumeIsolated { $0.ticked() } }
    }

    private func ticked() {
        isTicking = false
        let now = now
        closeAnonymous(now)
        let time = services.ambient.clock.timestamp()
        for number in visitors {
            if let session = sessions[number], let end = session.identity?.expiresAt, end <= time {
                turnOut(session, .unauthenticated, reason: "expired")
            }
        }
        for number in joining {
            for membership in sessions[number]?.memberships ?? [] {
                if let pending = membership.pending, pending.deadline <= now {
                    notEntered(membership.instance, membership.player)
                }
            }
        }
        endDormant(now)
        if !questioning.isEmpty { endUnanswered(now) }
        if isUnchecked { endUnchecked(now) }
        if !owed.isEmpty { Task.immediate { await self.returnOwed() } }
        if !sessions.isEmpty || !owed.isEmpty { startTicking() }
    }

    /// Of who has logged in, or was looked at, since Eta is back, Eta would say when it counts no
    /// more.
    private func endUnchecked(_ now: Instant) {
        for session in Array(sessions.values) {
            if let since = session.uncheckedSince, now - since > services.orphanGrace {
                end(session, .tryAgain, reason: "credentials cannot be checked")
            }
        }
    }

    private func closeAnonymous(_ now: Instant) {
        var done = 0
        for number in anonymous {
            if let session = sessions[number], !session.machine.isAuthenticated {
                guard session.machine.deadline <= now else { break }
                // One that is being checked just now gets its answer first.
                if session.machine.isBusy { break }
                turnOut(session, .unauthenticated, reason: "no login in time")
            }
            done += 1
        }
        anonymous.removeFirst(done)
        if anonymous.isEmpty { anonymous = [] }
    }

    /// Eta is away.
    func etaLost() {
        etaLosses += 1
        isEtaAway = true
        isUnchecked = true
        for session in sessions.values where session.identity != nil {
            session.uncheckedSince = session.uncheckedSince ?? now
        }
    }

    /// Eta is back: what ended meanwhile nobody could say. It has been told who sits here, so no
    /// other seat is owed.
    func etaBack() {
        owed = []
        isEtaAway = false
        Task.immediate { await self.recheck() }
    }

    /// Asks which of the logins and grants of open sockets still count, until all are known; those
    /// that cannot be in `orphanGrace` end.
    private func recheck() async {
        let losses = etaLosses
        var numbers = sessions.values.filter { $0.identity != nil }.map(\.number)
        while !numbers.isEmpty {
            let some = numbers.suffix(Self.recheckSize)
            let callers = some.compactMap { sessions[$0]?.identity?.caller }
            let query = RegistryAPI.StandingQuery(
                sessions: Array(Set(callers.compactMap { $0.user?.session })),
                integrities: Array(Set(callers.compactMap { $0.visitor?.integrity })))
            if callers.isEmpty {
                // They are gone.
                numbers.removeLast(some.count)
                continue
            }
            do throws(APIError) {
                let standing = try await services.eta.call(
                    RegistryAPI.standing, query, on: loop)
                if losses != etaLosses { return }
                apply(standing, of: query, to: Array(some))
                numbers.removeLast(some.count)
            } catch {
                await loop.pause(for: .seconds(1))
                if losses != etaLosses { return }
            }
        }
        isUnchecked = false
    }

    /// Turns out those whose login or grant was asked for and counts no more.
    private func apply(
        _ standing: RegistryAPI.Standing, of query: RegistryAPI.StandingQuery, to numbers: [Int]
    ) {
        let callers = Dictionary(
            standing.callers.map { ($0.session, $0) }, uniquingKeysWith: { $1 })
        let asked = Set(query.sessions)
        let dead = Set(query.integrities).subtracting(standing.integrities)
        for session in numbers.compactMap({ sessions[$0] }) {
            switch session.identity?.caller {
            case .user(let user) where asked.contains(user.session):
                if let now = callers[user.session] {
                    session.identity?.caller = .user(now)
                    session.uncheckedSince = nil
                } else {
                    turnOut(session, .unauthenticated, reason: "revoked")
                }
            case .visitor(let visitor) where dead.contains(visitor.integrity):
                turnOut(session, .unauthenticated, reason: "revoked")
            case .visitor(let visitor) where query.integrities.contains(visitor.integrity):
                session.uncheckedSince = nil
            case .user, .visitor, .nobody, .server, .ins, .gateway, nil: break
            }
        }
    }

    /// The process goes down: everybody is told where else to go, and closed.
    func goAway(to gateway: Gateway?, _ server: EncodedJSON?) {
        for session in Array(sessions.values) {
            if let gateway, let server {
                event(.updateServer, server, redirect: gateway, to: session)
            }
            end(session, .goingAway)
        }
    }

    /// A transform beyond the rate: the newest of its path goes when there is room.
    func hold(_ frame: SocketFrame, _ session: SocketSession) {
        guard let shape = TransformShape(frame), let instance = shape.instance,
            session.membership(in: instance)?.isEntered == true
        else { return }
        excess(of: session).keep(sent: frame, path: shape.path, in: instance)
        hasty.insert(session.number)
        guard !isReleasing else { return }
        isReleasing = true
        _ = loop.schedule(after: Self.release) { self.assumeIsolated { $0.releaseHeld() } }
    }

    private func releaseHeld() {
        isReleasing = false
        let now = now
        for number in hasty {
            guard let session = sessions[number], let excess = session.excess else {
                hasty.remove(number)
                continue
            }
            let frames = excess.releaseSent { session.machine.mayRelease(now: now) }
            for frame in frames { perform(.instanceTransform, frame, session) }
            if !excess.hasSent { hasty.remove(number) }
            if excess.isEmpty { session.excess = nil }
        }
        guard !hasty.isEmpty else { return }
        isReleasing = true
        _ = loop.schedule(after: Self.release) { self.assumeIsolated { $0.releaseHeld() } }
    }
}
