import Base
import Crypto
import Domain
import Runtime

/// `eta keys show`: the public half of the node's key, and where the secrets are.
enum KeysShow {
    static let subcommand = Subcommand(
        "keys show", help: "Shows the node's public key, and where its secret keys are", run: run)

    private static func run(_ launch: Launch) async throws {
        let settings = try EtaSettings(launch.config)
        try DataFolder.requireNode(settings, launch)
        let key = try NodeKeys.open(settings, launch.ambient).signing.publicKey
        let files = [
            ("node", settings.data + "/keys/node.key"), ("cluster", settings.clusterKey),
            ("access", settings.data + "/keys/access.key"),
            ("ins", settings.data + "/keys/ins.credential"),
        ]
        if launch.invocation.json {
            var object: JSONObject = [
                "id": .string(key.id), "algorithm": "ed25519", "key": .string(key.base64URL),
            ]
            var paths = JSONObject()
            for (name, path) in files { paths[name] = .string(path) }
            object["files"] = .object(paths)
            launch.answer(json: .object(object))
        } else {
            launch.answer("ed25519 \(key.base64URL)")
            launch.answer("id      \(key.id)")
            for (name, path) in files {
                launch.answer(name + String(repeating: " ", count: 8 - name.count) + path)
            }
        }
    }
}
