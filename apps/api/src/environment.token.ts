/** Injection token of the `ApiEnvironment`. */
export const API_ENVIRONMENT = Symbol('shop:api-environment');
