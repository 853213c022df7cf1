import API
import Base
import Crypto
import Domain
import HTTP
import Net
import Support
import Testing

/// Images of users and worlds: who sets them, what is taken for one, how they are kept and served.
@Suite struct ImageTests {
    private static let user = Once { try await Shared.plain.get().user() }

    /// Sends an image as the body.
    private func post(
        _ client: TypedClient, _ target: String, _ image: [UInt8], type: String = "image/png",
        fields: [(String, String)] = []
    ) async throws -> Answer {
        try await client.send(
            .post, target, bytes: .bytes(image), fields: [("Content-Type", type)] + fields)
    }

    private func image(_ number: UInt8) -> [UInt8] {
        PNGSample.image(2, 3, more: SystemRandom().bytes(16) + [number])
    }

    /// Path and query of a URL.
    private func target(_ url: JSONValue?) throws -> String {
        let text = try #require(url?.stringValue)
        let path = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        return "/" + (try #require(path.last))
    }

    /// A place for an image: where it is, and whose object names it under which key.
    private struct Place {
        let target: String
        let object: String
        let key: String
        let owner: TestUser
    }

    private func places(_ node: TestNode) async throws -> [Place] {
        let user = try await node.user()
        let world = try await user.client.call(WorldAPI.create, body: ["title": "Seen"]).id
        return [
            Place(
                target: "/api/users/@me/thumbnail", object: "/api/users/@me", key: "thumbnail",
                owner: user),
            Place(
                target: "/api/users/\(user.name)/banner", object: "/api/users/\(user.id)",
                key: "banner", owner: user),
            Place(
                target: "/api/worlds/\(world)/thumbnail", object: "/api/worlds/\(world)",
                key: "thumbnail", owner: user),
        ]
    }

    @Test func `an image that is set is named by its hash, and is what it was`() async throws {
        let node = try await Shared.plain.get()
        for place in try await places(node) {
            let client = place.owner.client
            let none = try await client.send(.get, place.target)
            #expect(none.status == 404 && none.code == 2, "\(none)")
            let (first, second) = (image(1), image(2))
            let set = try await post(client, place.target, first)
            #expect(set.status == 200, "\(set)")
            let url = try target(set.data?[place.key])
            #expect(url.hasSuffix("hash=\(SHA256.hash(first).hex)"), "\(url)")
            // Anybody may look, and keep it for ever.
            let seen = try await node.client.send(.get, url)
            #expect(seen.status == 200 && seen.body == first && seen["Content-Type"] == "image/png")
            #expect(seen["Cache-Control"] == "public, max-age=31536000, immutable")
            let tag = try #require(seen["ETag"])
            let same = try await node.client.send(.get, url, fields: [("If-None-Match", tag)])
            #expect(same.status == 304 && same.body.isEmpty, "\(same)")
            let part = try await node.client.send(.get, url, fields: [("Range", "bytes=0-7")])
            #expect(part.status == 206 && part.body == Array(first[..<8]), "\(part.status)")
            let head = try await node.client.send(.head, url)
            #expect(head["Content-Length"] == "\(first.count)" && head.body.isEmpty)
            // The object says so to everybody.
            let shown = try await client.data(.get, place.object)
            #expect(try target(shown[place.key]) == url)
            // Another takes its place; under the old name there is nothing any more.
            let again = try await post(
                client, place.target, second, fields: [("If-Match", tag)])
            #expect(again.status == 200, "\(again)")
            let stale = try await post(client, place.target, first, fields: [("If-Match", tag)])
            #expect(stale.status == 412 && stale.code == 53, "\(stale)")
            let old = try await node.client.send(.get, url)
            #expect(old.status == 404 && old.code == 2, "\(old)")
            let plain = try await client.send(
                .get, place.target.split(separator: "?")[0].description)
            #expect(plain.body == second && plain["Cache-Control"] == "private, no-cache")
            let gone = try await client.send(.delete, place.target)
            #expect(gone.status == 200 && gone.data?[place.key] == .null, "\(gone)")
            #expect(try await client.send(.get, place.target).code == 2)
        }
    }

    @Test func `a form brings it as well, and identical ones are kept once`() async throws {
        let node = try await Shared.plain.get()
        let (ada, ben) = (try await node.user(), try await node.user())
        let image = image(3)
        let form =
            Array(
                "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n".utf8)
            + Array("Content-Type: image/png\r\n\r\n".utf8) + image + Array("\r\n--x--\r\n".utf8)
        for user in [ada, ben] {
            let set = try await post(
                user.client, "/api/users/@me/banner", form, type: "multipart/form-data; boundary=x")
            #expect(set.status == 200, "\(set)")
        }
        // The other keeps it when one lets it go, or goes altogether.
        let url = try target(try await ben.client.data(.get, "/api/users/@me")["banner"])
        try await ada.client.data(
            .delete, "/api/users/@me", ["password": .string(ada.password)])
        #expect(try await node.client.send(.get, url).body == image)
        let file =
            "\(node.data)/files/\(SHA256.hash(image).hex.prefix(2))/"
            + SHA256.hash(image).hex.dropFirst(2)
        #expect(TestFolder.mode(of: file) != nil)
        try await ben.client.data(.delete, "/api/users/@me/banner")
        #expect(TestFolder.mode(of: file) == nil, "nobody needs it")
    }

    @Test func `what is no image, too large, or not one's own is refused, and nothing is kept`()
        async throws
    {
        let node = try await Shared.plain.get()
        let stranger = try await node.user()
        for place in try await places(node) {
            let client = place.owner.client
            let invalid = place.object.contains("worlds") ? 24 : 14
            let image = image(4)
            for bad in [[], Array("nonsense".utf8), image.dropLast(), image + [0]] as [[UInt8]] {
                let answer = try await post(client, place.target, bad)
                #expect(answer.status == 400 && answer.code == invalid, "\(answer)")
                #expect(answer.problems == ["file"], "\(answer)")
            }
            let wide = try await post(client, place.target, PNGSample.image(4_097, 1))
            #expect(wide.code == invalid && wide.problems == ["file"], "\(wide)")
            let large = PNGSample.image(more: [UInt8](repeating: 7, count: 4 << 20))
            let heavy = try await post(client, place.target, large)
            #expect(heavy.status == 413 && heavy.code == 52, "\(heavy.status)")
            for type in ["image/jpeg", "application/json", "multipart/form-data"] {
                let answer = try await post(client, place.target, image, type: type)
                #expect(answer.status == 415 && answer.code == 51, "\(type): \(answer)")
            }
            let form = try await post(
                client, place.target, Array("--x--\r\n".utf8),
                type: "multipart/form-data; boundary=x")
            #expect((400..<500).contains(form.status), "\(form)")
            // Of who may not it is said before anything is read.
            let own = place.target.replacing("@me", with: place.owner.id)
            let foreign = try await post(stranger.client, own, image)
            #expect(foreign.status == 403, "\(foreign)")
            #expect(foreign.code == (invalid == 24 ? 4 : 12), "\(foreign)")
            #expect(try await stranger.client.send(.delete, own).status == 403)
            #expect(try await post(node.client, own, image).code == 3)
            #expect(try await client.send(.get, place.target).code == 2)
        }
        let administrator = try await node.administrator()
        let set = try await post(
            administrator.client, "/api/users/\(stranger.id)/thumbnail", image(5))
        #expect(set.status == 200 && set.data?["email"] == nil, "\(set)")
    }

    @Test func `a private world's image is for those who may see it`() async throws {
        let node = try await Shared.plain.get()
        let (ada, ben) = (try await node.user(), try await node.user())
        let world = try await ada.client.call(
            WorldAPI.create, body: ["title": "Hidden", "tags": ["avr:private"]])
        let path = "/api/worlds/\(world.id)/thumbnail"
        let image = image(6)
        #expect(try await post(ada.client, path, image).status == 200)
        let seen = try await ada.client.send(.get, path)
        #expect(seen.body == image && seen["Cache-Control"]?.hasPrefix("private") == true)
        for client in [ben.client, node.client] {
            #expect(try await client.send(.get, path).code == 25)
        }
    }

    @Test func `images of another node are fetched there`() async throws {
        let (a, b) = (try await Shared.plain.get(), try await Shared.other.get())
        let (ada, ben) = (try await a.user(), try await b.user())
        let image = image(7)
        #expect(try await post(ada.client, "/api/users/@me/thumbnail", image).status == 200)
        let shown = try await ben.client.data(.get, "/api/users/\(ada.reference)")
        let url = try target(shown["thumbnail"])
        #expect(try await a.client.send(.get, url).body == image)
        let sent = try await ben.client.send(
            .get, "/api/users/\(ada.id)/thumbnail?server=\(a.address)")
        #expect(sent.status == 302 && sent["Location"]?.contains(a.address) == true, "\(sent)")
        let foreign = try await post(
            ben.client, "/api/users/\(ada.reference)/thumbnail", image)
        #expect(foreign.code == 41, "\(foreign)")
    }
}
