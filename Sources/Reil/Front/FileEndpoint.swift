import API
import Base
import Domain
import HTTP
import Net
import Synchronization

/// `GET …/file` where Eta is on this machine: Eta says who may have which file, and Reil sends it
/// itself, without a copy through Eta. Of a public world it says so once for all who ask, until the
/// world changes.
final class FileEndpoint: BoundEndpoint {
    let facts = WorldAPI.file.facts
    private let relay: RelayEndpoint
    private let worlds: HotWorlds
    /// Until when Eta's files are not even tried, after one could not be opened.
    private let pause = Atomic<UInt64>(0)
    private static let pauseLength = Duration.seconds(60)

    init(relay: RelayEndpoint, worlds: HotWorlds) {
        self.relay = relay
        self.worlds = worlds
    }

    func answerAtOnce(_ exchange: Exchange) throws(APIError) -> Response? {
        guard let key = Self.key(exchange),
            let known = worlds.find(key, of: exchange.captures[0])
        else { return nil }
        return try answer(exchange, known)
    }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let now = exchange.ambient.clock.now()
        guard now.nanoseconds >= pause.load(ordering: .relaxed) else {
            return try await relay.answer(exchange)
        }
        let changes = worlds.changes
        let response = try await relay.eta.relay(
            exchange, adding: Fields((.avrAcceptFile, "1")))
        guard let field = response.fields.bytes(.avrFile) else { return response }
        guard let path = Percent.decode(field), let file = ReadOnlyFile(path: path),
            let eTag = response.fields.bytes(.eTag).flatMap({ ETag($0) })
        else {
            // Another machine behind a loopback address, a user who may not read the folder, or a
            // file that was replaced just now.
            pause.store((now + Self.pauseLength).nanoseconds, ordering: .relaxed)
            exchange.ambient.log.notice("eta's files cannot be opened here")
            return try await relay.answer(exchange)
        }
        var fields = response.fields
        let isPublic = fields.contains(.avrFilePublic)
        fields.remove(.avrFile)
        fields.remove(.avrFilePublic)
        let found = HotWorlds.HotFile(file: file, eTag: eTag, fields: fields)
        if isPublic, let key = Self.key(exchange) {
            worlds.keep(found, key, of: exchange.captures[0], asked: changes)
        }
        return try answer(exchange, found)
    }

    /// Nil where the query asks for more than a hash, or the world is not named by its id alone: what
    /// is kept under another spelling would not be forgotten when the world changes.
    private static func key(_ exchange: Exchange) -> HotWorlds.FileKey? {
        let query = exchange.query
        guard query.count <= 1, query.first.map({ $0.name == "hash" }) ?? true,
            WorldID(exchange.captures[0]) != nil
        else { return nil }
        return HotWorlds.FileKey(
            asset: exchange.captures[1], hash: query.first?.value,
            isKnown: exchange.passage.caller != .nobody)
    }

    private func answer(
        _ exchange: Exchange, _ found: HotWorlds.HotFile
    ) throws(APIError) -> Response {
        let head = exchange.passage.request.head
        if FileResponse.isPlain(head) { return found.whole }
        return try FileResponse.make(
            for: head, of: found.file, eTag: found.eTag, contentType: MediaType.octetStream,
            fields: found.fields
        ) {
            Hex.encode(exchange.ambient.random.bytes(16))
        }
    }
}
