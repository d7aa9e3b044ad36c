public import Engine
public enum BuiltIn { public static let actions: [any Action.Type] = [] }
