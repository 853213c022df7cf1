import API
import Base
import Domain
import HTTP
import Net
import Synchronization

/// `GET …/file` where Eta is on this machine: Eta says who may have which file, and Reil sends it
/// itself, without a copy through Eta.
final class FileEndpoint: BoundEndpoint {
    let facts = WorldAPI.file.facts
    private let relay: RelayEndpoint
    /// Until when Eta's files are not even tried, after one could not be opened.
    private let pause = Atomic<UInt64>(0)
    private static let pauseLength = Duration.seconds(60)

    init(relay: RelayEndpoint) { self.relay = relay }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let now = exchange.context.ambient.clock.now()
        guard now.nanoseconds >= pause.load(ordering: .relaxed) else {
            return try await relay.answer(exchange)
        }
        var response = try await relay.eta.relay(
            exchange, adding: Fields((.avrAcceptFile, "1")))
        guard let field = response.fields.bytes(.avrFile) else { return response }
        guard let path = Percent.decode(field), let file = ReadOnlyFile(path: path),
            let eTag = response.fields.bytes(.eTag).flatMap({ ETag($0) })
        else {
            // Another machine behind a loopback address, a user who may not read the folder, or a
            // file that was replaced just now.
            pause.store((now + Self.pauseLength).nanoseconds, ordering: .relaxed)
            exchange.context.ambient.log.notice("eta's files cannot be opened here")
            return try await relay.answer(exchange)
        }
        response.fields.remove(.avrFile)
        var answer = try FileResponse.make(
            for: exchange.passage.request.head, of: file, eTag: eTag,
            contentType: MediaType.octetStream, fields: response.fields
        ) {
            Hex.encode(exchange.context.ambient.random.bytes(16))
        }
        answer.accessTarget = response.accessTarget
        return answer
    }
}
