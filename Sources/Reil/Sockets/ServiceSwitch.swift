import API
import Base
import Domain

/// Which socket speaks for each service at this Reil, and how sockets are called among services.
final class ServiceSwitch: Sendable {
    private let directory: ServiceDirectory
    /// A random name of this run: a name that a service kept from another means nobody.
    private let run: String
    /// The newest socket of each service.
    private let sockets = Lock<[ServiceID: ResumeBook.Place]>([:])

    init(directory: ServiceDirectory, random: any RandomSource) {
        self.directory = directory
        run = Hex.encode(random.bytes(8))
    }

    /// Whether the node has such a service.
    func knows(_ id: ServiceID) -> Bool { directory.route(to: id) != nil }

    /// The socket that speaks for a service.
    func socket(of id: ServiceID) -> ResumeBook.Place? { sockets.withLock { $0[id] } }

    /// A socket speaks for a service from now on.
    func joined(_ id: ServiceID, _ place: ResumeBook.Place) {
        sockets.withLock { $0[id] = place }
    }

    /// It does no more.
    func left(_ id: ServiceID, _ place: ResumeBook.Place) {
        sockets.withLock { sockets in
            if sockets[id] == place { sockets[id] = nil }
        }
    }

    /// What services call a socket.
    func name(of place: ResumeBook.Place) -> String { "\(run).\(place.loop).\(place.socket)" }

    /// The socket of that name; nil for one that there cannot be.
    func place(_ name: String) -> ResumeBook.Place? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == run, let loop = Int(parts[1]),
            let socket = Int(parts[2])
        else { return nil }
        return ResumeBook.Place(loop: loop, socket: socket)
    }
}
