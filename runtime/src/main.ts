// The entry of the bundle that every generated module carries.
export { SubbyteError } from './errors.js';
export { loader } from './load.js';
