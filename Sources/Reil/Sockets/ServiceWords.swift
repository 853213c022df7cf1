import API
import Base
import Domain
import HTTP

/// What clients and services say to each other over their sockets, docs/client/services.md.
///
/// A frame of a client goes to its service's socket with the client's name; what the service answers,
/// or tells, reaches only sockets that spoke to it or subscribed to it.
extension SocketLoop {
    /// Services that one socket may hear.
    private static let heardLimit = 64
    /// Sockets that one frame of a service may name.
    private static let namedLimit = 1_024

    /// A client speaks to a service, or the service itself to its clients.
    func relay(_ frame: SocketFrame, _ id: ServiceID, _ session: SocketSession) {
        guard let identity = session.identity else { return }
        if identity.caller.user?.service == id { return tellClients(frame, of: id, session) }
        guard services.switchboard.knows(id) else {
            return send(frame.refusal(APIError(.serviceNotFound)), to: session)
        }
        guard hear(id, session) else {
            return send(frame.refusal(.tooManyRequests(retryAfter: .seconds(60))), to: session)
        }
        guard let place = services.switchboard.socket(of: id),
            let sockets = services.roster.sockets(at: place.loop)
        else { return send(frame.refusal(APIError(.serviceUnavailable)), to: session) }
        let own = ResumeBook.Place(loop: index, socket: session.number)
        let message = frame.passed(
            from: identity.reference, socket: services.switchboard.name(of: own))
        sockets.onLoop { sockets in
            if sockets.offer(message, to: place.socket) { return }
            self.onLoop { client in
                guard let session = client.session(own.socket) else { return }
                client.send(frame.refusal(APIError(.serviceUnavailable)), to: session)
            }
        }
    }

    /// Sends what may be lost; false where it is: nobody is there, or reads too slowly.
    private func offer(_ message: [UInt8], to number: Int) -> Bool {
        guard let session = session(number),
            session.sink.pending + message.count <= services.queue / 2
        else { return false }
        session.sink.send(text: message)
        return true
    }

    /// A service speaks: to the sockets that it names, or to all that hear it.
    private func tellClients(_ frame: SocketFrame, of id: ServiceID, _ session: SocketSession) {
        guard let word = ServiceWord(frame), word.to?.count ?? 0 <= Self.namedLimit else {
            return send(
                frame.refusal(
                    APIError(.serviceInvalidInput, field: "to", "must be a list of sockets")),
                to: session)
        }
        guard let names = word.to else {
            for sockets in services.roster.allSockets {
                sockets.onLoop { $0.hearing(id, word.message) }
            }
            return
        }
        var named: [Int: [Int]] = [:]
        for name in names {
            guard let place = services.switchboard.place(name) else { continue }
            named[place.loop, default: []].append(place.socket)
        }
        for (loop, numbers) in named {
            services.roster.sockets(at: loop)?.onLoop { sockets in
                for number in numbers where sockets.audiences[id]?.contains(number) == true {
                    _ = sockets.offer(word.message, to: number)
                }
            }
        }
    }

    private func hearing(_ id: ServiceID, _ message: [UInt8]) {
        for number in audiences[id] ?? [] { _ = offer(message, to: number) }
    }

    /// From now on what the service tells everybody reaches this socket; false where it hears too
    /// many already.
    func hear(_ id: ServiceID, _ session: SocketSession) -> Bool {
        if session.heard.contains(id) { return true }
        guard session.heard.count < Self.heardLimit else { return false }
        session.heard.insert(id)
        audiences[id, default: []].insert(session.number)
        return true
    }

    /// It does no more.
    func unhear(_ id: ServiceID, _ session: SocketSession) {
        guard session.heard.remove(id) != nil else { return }
        audiences[id]?.remove(session.number)
        if audiences[id]?.isEmpty == true { audiences[id] = nil }
    }

    /// A socket's client is somebody else now, or nobody.
    func unhearAll(_ session: SocketSession) {
        for id in session.heard { unhear(id, session) }
        if let id = session.identity?.caller.user?.service {
            services.switchboard.left(
                id, ResumeBook.Place(loop: index, socket: session.number))
        }
    }

    /// A socket speaks for the service whose credential it has shown.
    func noteService(_ session: SocketSession) {
        guard let id = session.identity?.caller.user?.service else { return }
        services.switchboard.joined(
            id, ResumeBook.Place(loop: index, socket: session.number))
    }
}

/// What a service says: `{command, subgroup, to?, state?, data?}`, or `error` in place of `data`.
private struct ServiceWord {
    /// The sockets that it names; nil for all that hear it.
    let to: [String]?
    /// What they are told.
    let message: [UInt8]

    init?(_ frame: SocketFrame) {
        let bytes = frame.bytes
        guard let object = try? JSONScanner.object(bytes, in: bytes.indices) else { return nil }
        if let range = object["to"], bytes[range.lowerBound] != UInt8(ascii: "n") {
            guard let list = try? JSONParser.parse(bytes[range]).arrayValue else { return nil }
            let names = list.compactMap(\.stringValue)
            guard names.count == list.count else { return nil }
            to = names
        } else {
            to = nil
        }
        message = frame.told(error: object["error"])
    }
}
