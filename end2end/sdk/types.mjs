// Holds JSON against the official SDK's types: every field that they require is there, of the type that they say, and
// no field is there that they don't know.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const require = createRequire(import.meta.url);
// Its main file lies in `cjs`, beside the declarations.
const resources = join(dirname(require.resolve('stripe')), 'resources');

/** Reads the types of some modules once; `check(module, name, value)` answers with a list of complaints. */
export function sdkTypes(modules) {
  const file = (module) => join(resources, `${module}.d.ts`);
  const program = ts.createProgram(modules.map(file), { strict: true, skipLibCheck: true, types: [] });
  const checker = program.getTypeChecker();
  const flag = (type, flags) => (type.flags & flags) !== 0;

  function declared(module, name) {
    const source = program.getSourceFile(file(module));
    const found = checker.getExportsOfModule(checker.getSymbolAtLocation(source)).find((symbol) => symbol.name === name);
    if (!found) throw new Error(`the SDK has no type ${name} in ${module}`);
    return checker.getDeclaredTypeOfSymbol(found);
  }

  function complaints(type, value, path) {
    if (type.isUnion()) return ofUnion(type, value, path);
    if (value === null) return flag(type, ts.TypeFlags.Null | ts.TypeFlags.Any) ? [] : [`${path}: null is not allowed`];
    if (flag(type, ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return [];
    // `OtherString`, which leaves a set of names open, is an intersection with string.
    if (type.isIntersection()) return typeof value === 'string' ? [] : [`${path}: not a string`];
    if (flag(type, ts.TypeFlags.StringLiteral | ts.TypeFlags.NumberLiteral)) {
      return value === type.value ? [] : [`${path}: ${JSON.stringify(value)} is not ${JSON.stringify(type.value)}`];
    }
    if (flag(type, ts.TypeFlags.BooleanLiteral)) return String(value) === checker.typeToString(type) ? [] : [`${path}: not ${checker.typeToString(type)}`];
    for (const [flags, kind] of [[ts.TypeFlags.String, 'string'], [ts.TypeFlags.Number, 'number'], [ts.TypeFlags.Boolean, 'boolean']]) {
      if (flag(type, flags)) return typeof value === kind ? [] : [`${path}: not a ${kind}: ${JSON.stringify(value)}`];
    }
    if (flag(type, ts.TypeFlags.Object)) return ofObject(type, value, path);
    return [`${path}: the SDK says ${checker.typeToString(type)}`];
  }

  function ofUnion(type, value, path) {
    let nearest;
    for (const one of type.types) {
      const found = complaints(one, value, path);
      if (found.length === 0) return [];
      // Of several objects, the one that fits best is the one that was meant.
      const object = flag(one, ts.TypeFlags.Object) && typeof value === 'object' && value !== null;
      if (object && (!nearest || found.length < nearest.length)) nearest = found;
    }
    return nearest ?? [`${path}: ${JSON.stringify(value)?.slice(0, 80)} is not ${checker.typeToString(type).slice(0, 120)}`];
  }

  function ofObject(type, value, path) {
    if (checker.isArrayType(type)) {
      if (!Array.isArray(value)) return [`${path}: not a list`];
      const [element] = checker.getTypeArguments(type);
      return value.flatMap((one, index) => complaints(element, one, `${path}[${index}]`));
    }
    // The SDK makes a number object of these; on the wire they are strings.
    if (type.symbol?.name === 'Decimal') return typeof value === 'string' ? [] : [`${path}: not a decimal in a string`];
    if (typeof value !== 'object' || Array.isArray(value)) return [`${path}: not an object`];
    const index = checker.getIndexTypeOfType(type, ts.IndexKind.String);
    const known = new Set();
    const found = [];
    for (const property of checker.getPropertiesOfType(type)) {
      known.add(property.name);
      const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
      if (!(property.name in value)) {
        if (!optional) found.push(`${path}.${property.name}: missing`);
        continue;
      }
      found.push(...complaints(checker.getTypeOfSymbol(property), value[property.name], `${path}.${property.name}`));
    }
    for (const [key, inner] of Object.entries(value)) {
      if (known.has(key)) continue;
      if (index) found.push(...complaints(index, inner, `${path}.${key}`));
      else found.push(`${path}.${key}: not a field of the SDK`);
    }
    return found;
  }

  return { check: (module, name, value) => complaints(declared(module, name), value, name) };
}
